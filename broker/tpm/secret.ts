import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ChallengeKeys } from '../challenge-keys.ts';
import type { Keys } from './keys.ts';

/**
 * The secret that a TPM has to open. It follows from the challenge, the connection, both keys and a key that all brokers share, so that none has
 * to remember it, and it is worth nothing for anything else.
 */
export async function secretOf(
  keys: ChallengeKeys,
  proof: Uint8Array,
  pair: Keys,
  now: Date,
): Promise<Buffer> {
  return derive(await keys.current(now), proof, pair);
}

/** Whether `shown` is that secret; the key that all brokers share may have changed since. */
export async function isSecret(
  shown: Buffer,
  keys: ChallengeKeys,
  proof: Uint8Array,
  pair: Keys,
  now: Date,
): Promise<boolean> {
  const accepted = await keys.accepted(now);
  return shown.length === 32 && accepted.some((key) => timingSafeEqual(derive(key, proof, pair), shown));
}

function derive(key: Uint8Array, proof: Uint8Array, { ek, ak }: Keys): Buffer {
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  return createHmac('sha256', key)
    .update('signet-tpm-v1\n')
    .update(hash(proof))
    .update(hash(ek.spkiDer))
    .update(hash(ak.nameOfKey))
    .digest();
}
