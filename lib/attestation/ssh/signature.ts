import { type KeyObject, sign, verify } from 'node:crypto';
import { SshError } from './error.ts';
import { CURVES, type EcdsaType, isEcdsa, type KeyType, type SshPublicKey } from './key.ts';
import { WireReader, wireMpint, wireString } from './wire.ts';

/** RFC 8332. The older `ssh-rsa` signature is SHA-1 and not taken. */
const RSA_HASHES: Readonly<Record<string, string>> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' };

/**
 * Whether `signature` (an SSH signature blob) is `signer`'s over `data`.
 * @throws SshError `SSH_UNSUPPORTED` for an algorithm that is not the key's, `SSH_MALFORMED`
 */
export function signatureHolds(signer: SshPublicKey, signature: Buffer, data: Buffer): boolean {
  const reader = new WireReader(signature, 'signature');
  const algorithm = reader.text('algorithm');
  const value = reader.string('value');
  reader.end();
  const { hash, bytes } = readValue(signer.type, algorithm, value);
  try {
    return verify(hash, data, { key: signer.key, dsaEncoding: 'ieee-p1363' }, bytes);
  } catch {
    return false; // OpenSSL, about a key that it took at first
  }
}

/** The SSH signature blob over `data`; RSA signs with SHA-512, as `ssh-keygen -Y sign` does. */
export function signData(type: KeyType, key: KeyObject, data: Buffer): Buffer {
  const [algorithm, hash] = type === 'ssh-rsa' ? ['rsa-sha2-512', 'sha512'] : [type, ecdsaHash(type)];
  const bytes = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([wireString(algorithm), wireString(isEcdsa(type) ? joinNumbers(bytes) : bytes)]);
}

function readValue(type: KeyType, algorithm: string, value: Buffer): { hash: string | null; bytes: Buffer } {
  const rsaHash = Object.hasOwn(RSA_HASHES, algorithm) ? RSA_HASHES[algorithm] : undefined;
  if (type === 'ssh-rsa' && rsaHash !== undefined) return { hash: rsaHash, bytes: value };
  if (type === 'ssh-rsa' || algorithm !== type)
    throw new SshError('SSH_UNSUPPORTED', `signature: not by an algorithm taken of ${type} keys`);
  return { hash: ecdsaHash(type), bytes: isEcdsa(type) ? splitNumbers(type, value) : value };
}

function ecdsaHash(type: KeyType): string | null {
  return isEcdsa(type) ? CURVES[type].hash : null;
}

/** RFC 5656 §3.1.2: two mpints, to the fixed width of IEEE P1363. */
function splitNumbers(type: EcdsaType, value: Buffer): Buffer {
  const width = CURVES[type].bytes;
  const reader = new WireReader(value, 'signature');
  const numbers = [reader.mpint('r'), reader.mpint('s')];
  reader.end();
  if (numbers.some((number) => number.length > width))
    throw new SshError('SSH_MALFORMED', 'signature: a number too large for its curve');
  return Buffer.concat(numbers.flatMap((number) => [Buffer.alloc(width - number.length), number]));
}

function joinNumbers(bytes: Buffer): Buffer {
  const half = bytes.length / 2;
  return Buffer.concat([wireMpint(bytes.subarray(0, half)), wireMpint(bytes.subarray(half))]);
}
