import { createHash, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { SshError } from './error.ts';
import { WireReader, wireMpint, wireString } from './wire.ts';

/** A bare public key of a type that Signet takes. */
export type SshPublicKey = {
  readonly type: KeyType;
  /** As `ssh-keygen -l` prints it: `SHA256:` and unpadded base64. */
  readonly fingerprint: string;
  /** RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4. */
  readonly blob: Buffer;
  readonly key: KeyObject;
};

/** ECDSA types by their SSH name. `bytes` is the length of a coordinate. */
export const CURVES = {
  'ecdsa-sha2-nistp256': { ssh: 'nistp256', jwk: 'P-256', bytes: 32, hash: 'sha256' },
  'ecdsa-sha2-nistp384': { ssh: 'nistp384', jwk: 'P-384', bytes: 48, hash: 'sha384' },
  'ecdsa-sha2-nistp521': { ssh: 'nistp521', jwk: 'P-521', bytes: 66, hash: 'sha512' },
} as const;

export type EcdsaType = keyof typeof CURVES;
export type KeyType = 'ssh-ed25519' | 'ssh-rsa' | EcdsaType;

const MIN_RSA_BITS = 2048;
/** Bounds the work that one piece of evidence can ask for. */
const MAX_RSA_BITS = 8192;

/**
 * @throws SshError `SSH_UNSUPPORTED` for other types (`sk-` and DSA among them), `SSH_WEAK_KEY` for RSA below 2048 bits,
 * `SSH_MALFORMED`
 */
export function parsePublicKey(blob: Buffer): SshPublicKey {
  const reader = new WireReader(blob, 'public key');
  const parsed = readKey(readKeyType(reader.text('type')), reader);
  reader.end();
  return parsed;
}

/** The type's own fields, which stand alike in a bare key and in a certificate. `type` has been read already. */
export function readKey(type: KeyType, reader: WireReader): SshPublicKey {
  const start = reader.offset;
  const key = importKey(readJwk(type, reader));
  const blob = Buffer.concat([wireString(type), reader.since(start)]);
  return { type, fingerprint: fingerprintOf(blob), blob, key };
}

/** @throws SshError `SSH_UNSUPPORTED` */
export function readKeyType(name: string): KeyType {
  if (name === 'ssh-ed25519' || name === 'ssh-rsa' || isEcdsa(name)) return name;
  // A stranger's text is shown only where it can be nothing but a type's name.
  const shown = /^[a-z0-9@.-]{1,64}$/.test(name) ? ` ${name}` : '';
  throw new SshError('SSH_UNSUPPORTED', `key type${shown} is not accepted (Ed25519, ECDSA or RSA)`);
}

export function isEcdsa(type: string): type is EcdsaType {
  return Object.hasOwn(CURVES, type);
}

/**
 * The public half of any key that node:crypto holds.
 * @throws SshError as `parsePublicKey`
 */
export function publicKeyOf(key: KeyObject): SshPublicKey {
  return parsePublicKey(encodeJwk(exportKey(key)));
}

function exportKey(key: KeyObject): webcrypto.JsonWebKey {
  try {
    return createPublicKey(key).export({ format: 'jwk' });
  } catch {
    throw new SshError('SSH_UNSUPPORTED', 'key type is not accepted (Ed25519, ECDSA or RSA)');
  }
}

function encodeJwk(jwk: webcrypto.JsonWebKey): Buffer {
  const field = (value: string | undefined) => Buffer.from(value ?? '', 'base64url');
  if (jwk.kty === 'RSA')
    return Buffer.concat([wireString('ssh-rsa'), wireMpint(field(jwk.e)), wireMpint(field(jwk.n))]);
  if (jwk.crv === 'Ed25519') return Buffer.concat([wireString('ssh-ed25519'), wireString(field(jwk.x))]);
  for (const [type, curve] of Object.entries(CURVES)) {
    if (jwk.crv !== curve.jwk) continue;
    const point = Buffer.concat([Buffer.of(4), field(jwk.x), field(jwk.y)]);
    return Buffer.concat([type, curve.ssh, point].map(wireString));
  }
  throw new SshError('SSH_UNSUPPORTED', 'key type is not accepted (Ed25519, ECDSA or RSA)');
}

function readJwk(type: KeyType, reader: WireReader): webcrypto.JsonWebKey {
  if (type === 'ssh-rsa') return readRsa(reader);
  if (type !== 'ssh-ed25519') return readEcdsa(type, reader);
  const x = reader.string('key');
  if (x.length !== 32) throw new SshError('SSH_MALFORMED', 'public key: not the length of an Ed25519 key');
  return { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') };
}

function readRsa(reader: WireReader): webcrypto.JsonWebKey {
  const e = reader.mpint('e');
  const n = reader.mpint('n');
  const bits = n.length * 8 - Math.clz32(n[0]!) + 24;
  if (bits < MIN_RSA_BITS)
    throw new SshError('SSH_WEAK_KEY', `RSA key of ${bits} bits: at least ${MIN_RSA_BITS} are needed`);
  if (bits > MAX_RSA_BITS)
    throw new SshError('SSH_UNSUPPORTED', `RSA key of ${bits} bits: at most ${MAX_RSA_BITS} are taken`);
  const odd = (number: Buffer) => (number.at(-1)! & 1) === 1;
  if (!odd(n) || !odd(e) || e.length > 4 || e.equals(Buffer.of(1)))
    throw new SshError('SSH_MALFORMED', 'public key: not an RSA key');
  return { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') };
}

function readEcdsa(type: EcdsaType, reader: WireReader): webcrypto.JsonWebKey {
  const { ssh, jwk, bytes } = CURVES[type];
  if (reader.text('curve') !== ssh)
    throw new SshError('SSH_MALFORMED', 'public key: its curve is not that of its type');
  const point = reader.string('point');
  if (point.length !== 1 + 2 * bytes || point[0] !== 4)
    throw new SshError('SSH_MALFORMED', 'public key: not an uncompressed point of its curve');
  const [x, y] = [point.subarray(1, 1 + bytes), point.subarray(1 + bytes)];
  return { kty: 'EC', crv: jwk, x: x.toString('base64url'), y: y.toString('base64url') };
}

function importKey(jwk: webcrypto.JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    throw new SshError('SSH_MALFORMED', 'public key: not a key of its type');
  }
}

function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
