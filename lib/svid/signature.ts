import { type KeyObject, verify } from 'node:crypto';

type Algorithm = { readonly key: 'ec' | 'rsa' | 'ed25519'; readonly hash: string | null };

/** What an authority may sign with: ECDSA and RSA (PKCS #1) with SHA-2, Ed25519. Never MD5 or SHA-1; nor PSS, whose hash the identifier leaves open. */
const SIGNATURES: ReadonlyMap<string, Algorithm> = new Map([
  ['1.2.840.10045.4.3.2', { key: 'ec', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { key: 'ec', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { key: 'ec', hash: 'sha512' }],
  ['1.2.840.113549.1.1.11', { key: 'rsa', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { key: 'rsa', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { key: 'rsa', hash: 'sha512' }],
  ['1.3.101.112', { key: 'ed25519', hash: null }],
]);

/** Whether an authority may sign with the algorithm of this object identifier. */
export function isAcceptedSignature(algorithm: string): boolean {
  return SIGNATURES.has(algorithm);
}

/** Whether `key` made this signature by the algorithm that the signed object names. False for an algorithm that is not accepted. */
export function verifySigned(
  { algorithm, signed, signature }: { algorithm: string; signed: Uint8Array; signature: Uint8Array },
  key: KeyObject,
): boolean {
  const accepted = SIGNATURES.get(algorithm);
  if (accepted === undefined || accepted.key !== key.asymmetricKeyType) return false;
  try {
    return verify(accepted.hash, signed, key, signature);
  } catch {
    return false;
  }
}
