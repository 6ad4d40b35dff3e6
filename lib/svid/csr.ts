import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { TAG } from './der.ts';
import { SvidError } from './error.ts';
import { toPem } from './pem.ts';

export type Csr = { readonly der: Uint8Array; readonly pem: string };

const VERSION_1 = Buffer.from([TAG.integer, 1, 0]);
const NO_SUBJECT = Buffer.from([TAG.sequence, 0]);
/** `[0]`, empty: Go demands that it is spelled out. */
const NO_ATTRIBUTES = Buffer.from([0xa0, 0]);
/** 1.2.840.10045.4.3.2, without parameters (RFC 5758 §3.2). */
const ECDSA_WITH_SHA256 = element(TAG.sequence, Buffer.from('06082a8648ce3d040302', 'hex'));
const WHOLE_OCTETS = Buffer.from([0]);

/**
 * A certification request (PKCS #10, RFC 2986) for a P-256 key: no subject, no names. Vault takes the ID from the grant and ignores
 * whatever a request asks for, so this one asks for nothing.
 * @throws SvidError `CSR_BAD_KEY` for any other kind of key
 */
export function createCsr(privateKey: KeyObject): Csr {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new SvidError('CSR_BAD_KEY', 'a request needs a private key on P-256');
  }
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const info = element(TAG.sequence, VERSION_1, NO_SUBJECT, publicKey, NO_ATTRIBUTES);
  const signature = sign('sha256', info, { key: privateKey, dsaEncoding: 'der' });
  const der = element(TAG.sequence, info, ECDSA_WITH_SHA256, element(TAG.bitString, WHOLE_OCTETS, signature));
  return { der, pem: toPem('CERTIFICATE REQUEST', der) };
}

/** One element in DER (X.690 §10.1), of less than 64 KiB. */
function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
