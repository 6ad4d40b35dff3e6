import { createPrivateKey, type KeyObject, type webcrypto } from 'node:crypto';
import { decodeArmor } from './armor.ts';
import { SshError } from './error.ts';
import { CURVES, isEcdsa, type KeyType, parsePublicKey, publicKeyOf } from './key.ts';
import { WireReader } from './wire.ts';

const LABEL = 'OPENSSH PRIVATE KEY';
const MAGIC = 'openssh-key-v1\0';
const BLOCK_BYTES = 8;

/**
 * An unencrypted `openssh-key-v1` file with one key (PROTOCOL.key). That its private numbers fit its public ones is not tried here.
 * @throws SshError `SSH_KEY_ENCRYPTED`, `SSH_UNSUPPORTED`, `SSH_WEAK_KEY`, `SSH_KEY_MISMATCH`, `SSH_MALFORMED`; without a cause,
 * which could quote the key
 */
export function parseOpensshKey(text: string): KeyObject {
  const reader = new WireReader(decodeArmor(text, LABEL), 'private key');
  if (reader.raw(MAGIC.length, 'preamble').toString('latin1') !== MAGIC)
    throw new SshError('SSH_MALFORMED', 'private key: not an openssh-key-v1 file');
  const [cipher, kdf, options] = [reader.text('cipher'), reader.text('kdf'), reader.string('kdf options')];
  if (cipher !== 'none' || kdf !== 'none')
    throw new SshError(
      'SSH_KEY_ENCRYPTED',
      'private key: it has a passphrase; give one without (a host key)',
    );
  if (options.length > 0 || reader.uint32('number of keys') !== 1)
    throw new SshError('SSH_MALFORMED', 'private key: not a file of one key');
  const { type, blob } = parsePublicKey(reader.string('public key'));
  const secret = reader.string('private part');
  reader.end();
  const key = readPrivatePart(type, secret);
  if (!publicKeyOf(key).blob.equals(blob))
    throw new SshError('SSH_KEY_MISMATCH', 'private key: its halves do not belong together');
  return key;
}

function readPrivatePart(type: KeyType, bytes: Buffer): KeyObject {
  const reader = new WireReader(bytes, 'private key');
  const checks = [reader.uint32('check'), reader.uint32('check')];
  const sameType = reader.text('type') === type;
  if (bytes.length % BLOCK_BYTES !== 0 || checks[0] !== checks[1] || !sameType)
    throw new SshError('SSH_MALFORMED', 'private key: damaged');
  const jwk = readPrivateJwk(type, reader);
  reader.string('comment');
  for (let pad = 1; !reader.atEnd; pad++) {
    if (pad >= BLOCK_BYTES || reader.raw(1, 'padding')[0] !== pad)
      throw new SshError('SSH_MALFORMED', 'private key: wrong padding');
  }
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' });
  } catch {
    throw new SshError('SSH_MALFORMED', `private key: not one of type ${type}`);
  }
}

function readPrivateJwk(type: KeyType, reader: WireReader): webcrypto.JsonWebKey {
  if (type === 'ssh-rsa') return readRsa(reader);
  if (isEcdsa(type)) {
    const { jwk, bytes } = CURVES[type];
    reader.string('curve');
    const point = reader.string('point');
    const d = reader.mpint('d');
    const x = point.subarray(1, 1 + bytes);
    const y = point.subarray(1 + bytes);
    const padded = Buffer.concat([Buffer.alloc(Math.max(0, bytes - d.length)), d]);
    return { kty: 'EC', crv: jwk, ...base64url({ x, y, d: padded }) };
  }
  reader.string('public half');
  const pair = reader.string('key pair');
  return { kty: 'OKP', crv: 'Ed25519', ...base64url({ d: pair.subarray(0, 32), x: pair.subarray(32) }) };
}

function readRsa(reader: WireReader): webcrypto.JsonWebKey {
  const [n, e, d] = [reader.mpint('n'), reader.mpint('e'), reader.mpint('d')];
  const [qi, p, q] = [reader.mpint('iqmp'), reader.mpint('p'), reader.mpint('q')];
  const [dp, dq] = [remainder(d, p), remainder(d, q)];
  return { kty: 'RSA', ...base64url({ n, e, d, p, q, dp, dq, qi }) };
}

/** `d mod (prime - 1)`: SSH leaves out what JWK asks for. */
function remainder(d: Buffer, prime: Buffer): Buffer {
  const [big, modulus] = [toBigInt(d), toBigInt(prime) - 1n];
  const hex = (modulus > 0n ? big % modulus : 0n).toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
}

function toBigInt(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

function base64url(fields: Readonly<Record<string, Buffer>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, bytes]) => [name, bytes.toString('base64url')]),
  );
}
