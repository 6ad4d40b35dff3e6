import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { Attributes, CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr';
import { AsnConvert } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier, Name, SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import { SvidError } from './error.ts';
import { toPem } from './pem.ts';

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

export type Csr = { readonly der: Uint8Array; readonly pem: string };

/**
 * A certification request (PKCS #10, RFC 2986) for a P-256 key: no subject, no names. Vault takes the ID from the grant and ignores
 * whatever a request asks for, so this one asks for nothing.
 * @throws SvidError `CSR_BAD_KEY` for any other kind of key
 */
export function createCsr(privateKey: KeyObject): Csr {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new SvidError('CSR_BAD_KEY', 'a request needs a private key on P-256');
  }
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const info = new CertificationRequestInfo({
    version: 0,
    subject: new Name(),
    subjectPKInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    attributes: new Attributes(),
  });
  const request = new CertificationRequest({
    certificationRequestInfo: info,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 }),
    signature: signed(Buffer.from(AsnConvert.serialize(info)), privateKey),
  });
  const der = Buffer.from(AsnConvert.serialize(request));
  return { der, pem: toPem('CERTIFICATE REQUEST', der) };
}

function signed(data: Buffer, key: KeyObject): ArrayBuffer {
  const signature = sign('sha256', data, { key, dsaEncoding: 'der' });
  return signature.buffer.slice(
    signature.byteOffset,
    signature.byteOffset + signature.byteLength,
  ) as ArrayBuffer;
}
