import { createHmac, timingSafeEqual } from 'node:crypto';
import { SignetError } from '../errors.ts';
import { exporterHash } from './proof.ts';

export type ChallengeErrorCode = 'CHALLENGE_MALFORMED' | 'CHALLENGE_FOREIGN' | 'CHALLENGE_EXPIRED';

export class ChallengeError extends SignetError<ChallengeErrorCode> {
  override readonly name = 'ChallengeError';
}

export type Challenge = { readonly text: string; readonly expiresAt: Date };

type Binding = { readonly trustDomain: string; readonly exporter: Uint8Array };

const LIFE_MS = 60_000;
const NONCE_BYTES = 16;
const BODY_BYTES = NONCE_BYTES + 8;
const TEXT_CHARS = Math.ceil(((BODY_BYTES + 32) * 4) / 3);

/**
 * Makes a challenge that is good for 60 s on this connection only: `nonce | expiry (ms, u64 BE) | HMAC-SHA256`, base64url.
 * Any broker that has the key can open it, so brokers share no state. `nonce` is 16 random bytes.
 */
export function mintChallenge(key: Uint8Array, nonce: Uint8Array, now: Date, binding: Binding): Challenge {
  const body = Buffer.alloc(BODY_BYTES);
  body.set(nonce.subarray(0, NONCE_BYTES));
  const expiresAt = new Date(now.getTime() + LIFE_MS);
  body.writeBigUInt64BE(BigInt(expiresAt.getTime()), NONCE_BYTES);
  return { text: Buffer.concat([body, mac(key, body, binding)]).toString('base64url'), expiresAt };
}

/**
 * Verifies a challenge made with any of `keys` on this same connection.
 * @throws ChallengeError `CHALLENGE_MALFORMED`, `CHALLENGE_FOREIGN` (another key, trust domain or connection), `CHALLENGE_EXPIRED`
 */
export function openChallenge(text: string, keys: readonly Uint8Array[], now: Date, binding: Binding): void {
  const bytes = Buffer.from(text, 'base64url');
  if (
    text.length !== TEXT_CHARS ||
    bytes.length !== BODY_BYTES + 32 ||
    bytes.toString('base64url') !== text
  ) {
    throw new ChallengeError('CHALLENGE_MALFORMED', 'the challenge is not one of ours');
  }
  const body = bytes.subarray(0, BODY_BYTES);
  const given = bytes.subarray(BODY_BYTES);
  if (!keys.some((key) => timingSafeEqual(mac(key, body, binding), given))) {
    throw new ChallengeError('CHALLENGE_FOREIGN', 'the challenge was not given on this connection');
  }
  const left = Number(body.readBigUInt64BE(NONCE_BYTES)) - now.getTime();
  if (left <= 0) throw new ChallengeError('CHALLENGE_EXPIRED', 'the challenge is older than 60 s');
}

function mac(key: Uint8Array, body: Uint8Array, { trustDomain, exporter }: Binding): Buffer {
  return createHmac('sha256', key)
    .update(body)
    .update(trustDomain)
    .update('\0')
    .update(exporterHash(exporter))
    .digest();
}
