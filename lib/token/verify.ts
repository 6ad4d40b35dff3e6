import { type CryptoKey, compactDecrypt, compactVerify, importJWK, type JWK } from 'jose';
import { KEY_ENCRYPTIONS } from './algorithms.ts';
import type { SealedToken, SignedToken } from './compact.ts';
import { Fault, invalid } from './fault.ts';
import { chooseKey, type VerificationKey } from './keys.ts';

/** Keys that were made ready, by algorithm: making one takes longer than verifying with it. */
const ready = new WeakMap<VerificationKey, Map<string, Promise<CryptoKey | Uint8Array>>>();

/** Null: one of `keys` signed this token, by one of the algorithms that are `allowed`. */
export async function verifySignature(
  { text, header }: SignedToken,
  keys: readonly VerificationKey[],
  allowed: ReadonlySet<string>,
): Promise<Fault | null> {
  const key = chooseKey(keys, header, allowed);
  if (key instanceof Fault) return key;
  try {
    await compactVerify(text, await makeReady(key, header.alg), { algorithms: [header.alg] });
    return null;
  } catch {
    return invalid('not signed by the key it names');
  }
}

/** A key that opens sealed tokens, and what it may be used for. */
export type OpeningKey = {
  readonly kid: string | null;
  /** Private, or symmetric. */
  readonly jwk: JWK;
  readonly algorithms: ReadonlySet<string>;
  readonly encryptions: ReadonlySet<string>;
};

/** What a sealed token holds. One fault for all: what differs would tell how to open others. */
export async function openToken({ text, header }: SealedToken, key: OpeningKey): Promise<Buffer | Fault> {
  const { alg, enc } = header;
  const closed = invalid('sealed, and does not open');
  if (!key.algorithms.has(alg) || !key.encryptions.has(enc)) return closed;
  if (KEY_ENCRYPTIONS[alg]?.kty !== key.jwk.kty) return closed;
  try {
    const { plaintext } = await compactDecrypt(text, await importJWK(key.jwk, alg === 'dir' ? enc : alg), {
      keyManagementAlgorithms: [alg],
      contentEncryptionAlgorithms: [enc],
    });
    return Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  } catch {
    return closed;
  }
}

function makeReady(key: VerificationKey, alg: string): Promise<CryptoKey | Uint8Array> {
  let byAlgorithm = ready.get(key);
  if (byAlgorithm === undefined) ready.set(key, (byAlgorithm = new Map()));
  let made = byAlgorithm.get(alg);
  if (made === undefined) byAlgorithm.set(alg, (made = importJWK(key.jwk, alg)));
  return made;
}
