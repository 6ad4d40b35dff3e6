import type { JWK } from 'jose';
import { SignetError } from '../errors.ts';
import { SIGNATURES } from './algorithms.ts';
import type { TokenHeader } from './compact.ts';
import { Fault, invalid } from './fault.ts';
import { isObject, type JsonObject } from './json.ts';
import { rsaFlaw } from './rsa.ts';

/** A key that may verify tokens. */
export type VerificationKey = {
  readonly kid: string | null;
  /** The one algorithm that it is for; null: any that fits. */
  readonly alg: string | null;
  readonly kty: string;
  readonly crv: string | null;
  readonly bytes: number;
  readonly jwk: JWK;
};

/** `ignored` tells, for our own log, what was left out and why. */
export type KeySet = { readonly keys: readonly VerificationKey[]; readonly ignored: readonly string[] };

export class KeySetError extends SignetError<'KEY_SET'> {
  override readonly name = 'KeySetError';
}

const MOST_KEYS = 100;
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'];

/**
 * Reads the keys of an issuer: a set of them (RFC 7517 §5) or a single one. `public`: what is no sound public key for signatures is left
 * out, as its §5 wants it. `secret`: every key must be a symmetric one.
 * @throws KeySetError
 */
export function readKeySet(value: unknown, kind: 'public' | 'secret'): KeySet {
  if (!isObject(value)) throw new KeySetError('KEY_SET', 'not a JSON object');
  const listed = Object.hasOwn(value, 'keys') ? value['keys'] : [value];
  if (!Array.isArray(listed)) throw new KeySetError('KEY_SET', 'keys is not an array');
  if (listed.length > MOST_KEYS) throw new KeySetError('KEY_SET', `over ${MOST_KEYS} keys`);
  const keys: VerificationKey[] = [];
  const ignored: string[] = [];
  for (const [i, jwk] of listed.entries()) {
    const key = readKey(jwk, kind);
    if (typeof key !== 'string') keys.push(key);
    else if (kind === 'secret') throw new KeySetError('KEY_SET', `key ${i + 1} is ${key}`);
    else ignored.push(`key ${i + 1} is ${key}`);
  }
  return { keys, ignored };
}

/** The one key of a set by which a token can be verified, if its header is right about itself. */
export function chooseKey(
  keys: readonly VerificationKey[],
  header: TokenHeader,
  allowed: ReadonlySet<string>,
): VerificationKey | Fault {
  const { alg, kid } = header;
  if (!allowed.has(alg) || !Object.hasOwn(SIGNATURES, alg))
    return invalid('signed by an algorithm that is not allowed');
  const named = kid === null ? keys : keys.filter((key) => key.kid === kid);
  if (named.length === 0) return new Fault('key_unknown', 'no key of that name');
  const fitting = named.filter((key) => fits(key, alg));
  if (fitting.length === 1) return fitting[0]!;
  if (fitting.length > 1) return invalid('more than one key fits');
  return kid === null
    ? new Fault('key_unknown', 'no key for that algorithm')
    : invalid('its key is for another algorithm');
}

function fits(key: VerificationKey, alg: string): boolean {
  const { kty, crv, leastBytes = 0 } = SIGNATURES[alg]!;
  if (key.kty !== kty || (crv !== undefined && key.crv !== crv) || key.bytes < leastBytes) return false;
  return key.alg === null || key.alg === alg || (isEd25519(key.alg) && isEd25519(alg));
}

/** Two names of one thing (RFC 9864 §2.2). */
function isEd25519(alg: string): boolean {
  return alg === 'EdDSA' || alg === 'Ed25519';
}

/** A text tells what it is instead. */
function readKey(value: unknown, kind: 'public' | 'secret'): VerificationKey | string {
  if (!isObject(value)) return 'no JSON object';
  const { kty, kid = null, alg = null, use = 'sig', key_ops: operations = ['verify'], crv = null } = value;
  if (typeof kty !== 'string') return 'of no kind';
  if (kid !== null && (typeof kid !== 'string' || kid === '')) return 'one whose kid is not a name';
  if (alg !== null && (typeof alg !== 'string' || !Object.hasOwn(SIGNATURES, alg)))
    return 'for an algorithm that is not known';
  if (crv !== null && typeof crv !== 'string') return 'one whose curve is not a name';
  if (use !== 'sig') return 'not for signatures';
  if (!Array.isArray(operations) || !operations.includes('verify')) return 'not for verifying';
  if (kind === 'secret' ? kty !== 'oct' : kty === 'oct')
    return kind === 'secret' ? 'not a symmetric one' : 'a symmetric one, which no issuer publishes';
  if (kind === 'public' && PRIVATE.some((member) => Object.hasOwn(value, member)))
    return 'a private one, which everybody now knows';
  const material = readMaterial(value, kty);
  if (typeof material === 'string') return material;
  return { kid, alg, kty, crv, ...material };
}

/** Only what makes the key is kept: what else its JWK says has been looked at. */
function readMaterial(key: JsonObject, kty: string): Pick<VerificationKey, 'jwk' | 'bytes'> | string {
  const names = { EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'], RSA: ['n', 'e'], oct: ['k'] }[kty];
  if (names === undefined) return 'of a kind that is not known';
  const jwk: Record<string, string> = { kty };
  for (const name of names) {
    const text = key[name];
    if (typeof text !== 'string' || !/^[\w-]+$/.test(text)) return `one without ${name}`;
    jwk[name] = text;
  }
  const bytesOf = (name: string) => Buffer.from(jwk[name] ?? '', 'base64url');
  const flaw = kty === 'RSA' ? rsaFlaw(bytesOf('n'), bytesOf('e')) : null;
  return flaw ?? { jwk: jwk as JWK, bytes: bytesOf('k').length };
}
