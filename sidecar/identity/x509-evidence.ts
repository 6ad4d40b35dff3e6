import { constants, createPrivateKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { proofMessage } from '../../lib/attestation/index.ts';
import { pemToDer, SvidError } from '../../lib/svid/index.ts';
import type { AttestSpec } from '../config/values.ts';
import { AcquireError } from './acquire-error.ts';
import type { Claim, EvidenceSource, KeyPair } from './evidence.ts';

type Spec = AttestSpec & { readonly method: 'x509' };
type World = {
  readonly newKeyPair: () => Promise<KeyPair>;
  readonly readInput: (file: string, what: string) => Promise<string>;
};

/** Key and certificates of the device are read for each claim and let go of: its maker may replace them. */
export function x509Evidence({ keyFile, chainFile }: Spec, { newKeyPair, readInput }: World): EvidenceSource {
  return {
    async claim(): Promise<Claim> {
      const [keyPem, chainPem] = await Promise.all([
        readInput(keyFile, 'the device key'),
        readInput(chainFile, "the device's certificate"),
      ]);
      const key = parseKey(keyPem, keyFile);
      const chain = parseChain(chainPem, chainFile);
      checkPair(chain[0]!, key, chainFile);
      return {
        method: 'x509',
        key: await newKeyPair(),
        identity: null,
        evidence: (proof) => ({
          chain: chain.map(({ raw }) => raw.toString('base64')),
          signature: signProof(key, proofMessage(proof)).toString('base64'),
        }),
        accepted() {},
        refused() {},
      };
    },
  };
}

function parseKey(pem: string, file: string): KeyObject {
  if (/ENCRYPTED/.test(pem))
    throw unusable(
      'KEY_ENCRYPTED',
      `the device key in ${file} is encrypted: nobody is there to type its password`,
    );
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw unusable('KEY_UNREADABLE', `${file} holds no private key in PEM`);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  const curve = HASHES[details.namedCurve ?? ''];
  if (
    type === 'ed25519' ||
    (type === 'ec' && curve) ||
    (type === 'rsa' && (details.modulusLength ?? 0) >= 2048)
  )
    return key;
  throw unusable(
    'KEY_KIND',
    `the device key in ${file} is not P-256, P-384, P-521, RSA of 2048 or more, or Ed25519`,
  );
}

function parseChain(pem: string, file: string): X509Certificate[] {
  if (pem.includes('PRIVATE KEY-----'))
    throw unusable('CERTIFICATE_UNREADABLE', `${file} holds a private key where certificates belong`);
  try {
    return pemToDer(pem).map((der) => new X509Certificate(der));
  } catch (cause) {
    const why = cause instanceof SvidError ? cause.message : 'it cannot be parsed';
    throw unusable('CERTIFICATE_UNREADABLE', `${file} holds no certificates in PEM: ${why}`);
  }
}

function checkPair(leaf: X509Certificate, key: KeyObject, file: string): void {
  if (!leaf.checkPrivateKey(key))
    throw unusable('CERTIFICATE_OTHER_KEY', `the first certificate in ${file} is not for the device key`);
  if (leaf.validToDate <= new Date())
    throw unusable(
      'CERTIFICATE_EXPIRED',
      `the device's certificate in ${file} expired at ${leaf.validToDate.toISOString()} by the clock of this machine`,
    );
}

const HASHES: Readonly<Record<string, string>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512',
};

function signProof(key: KeyObject, message: Uint8Array): Buffer {
  if (key.asymmetricKeyType === 'ed25519') return sign(null, message, key);
  if (key.asymmetricKeyType === 'rsa')
    return sign('sha256', message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  return sign(HASHES[key.asymmetricKeyDetails?.namedCurve ?? ''], message, key);
}

function unusable(reason: string, message: string): AcquireError {
  return new AcquireError('EVIDENCE_UNAVAILABLE', message, { reason });
}
