import { createHash, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { TpmReader, u16 } from './bytes.ts';
import { ALG, ATTRIBUTE, CURVE_P256 } from './constants.ts';
import { malformed } from './error.ts';

/** A key as a TPM describes it (`TPMT_PUBLIC`, TPM 2.0 Part 2 §12.2.4): RSA of 2048 bits or P-256, with SHA-256 throughout. */
export type TpmPublic = {
  readonly type: 'rsa' | 'ecc';
  readonly attributes: number;
  /** What a key that protects others encrypts them with: AES-128 in CFB mode, or nothing. */
  readonly encrypts: boolean;
  /** Whether its scheme is set to ECDSA with SHA-256. */
  readonly ecdsa: boolean;
  readonly key: KeyObject;
  /** SPKI, DER. */
  readonly spkiDer: Buffer;
  /** What a TPM calls it: it covers all of the above, so that whoever proves to hold a key of this name proves its attributes too. */
  readonly nameOfKey: Buffer;
};

const RSA_BITS = 2048;
const RSA_EXPONENT = 65_537;
const MAX_PUBLIC_BYTES = 1024;

/** @throws TpmError, and nothing else whatever the bytes are */
export function readPublic(bytes: Uint8Array): TpmPublic {
  if (bytes.length > MAX_PUBLIC_BYTES) throw malformed('public part too long');
  const reader = new TpmReader(bytes);
  const type = reader.u16();
  if (type !== ALG.rsa && type !== ALG.ecc) throw malformed('a key of another type');
  if (reader.u16() !== ALG.sha256) throw malformed('a name by another hash');
  const attributes = reader.u32();
  reader.sized(64);
  const encrypts = readSymmetric(reader);
  const ecdsa = readScheme(reader);
  const jwk = type === ALG.rsa ? readRsa(reader) : readEcc(reader);
  reader.end();
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' });
  } catch (cause) {
    throw malformed('no such public key', { cause });
  }
  return {
    type: type === ALG.rsa ? 'rsa' : 'ecc',
    attributes,
    encrypts,
    ecdsa,
    key,
    spkiDer: key.export({ type: 'spki', format: 'der' }),
    nameOfKey: Buffer.concat([u16(ALG.sha256), createHash('sha256').update(bytes).digest()]),
  };
}

/** Whether it has all of `wanted` and none of `unwanted`. */
export function hasAttributes(
  { attributes }: TpmPublic,
  wanted: readonly (keyof typeof ATTRIBUTE)[],
  unwanted: readonly (keyof typeof ATTRIBUTE)[],
): boolean {
  const has = (name: keyof typeof ATTRIBUTE) => (attributes & ATTRIBUTE[name]) !== 0;
  return wanted.every(has) && !unwanted.some(has);
}

function readSymmetric(reader: TpmReader): boolean {
  const algorithm = reader.u16();
  if (algorithm === ALG.null) return false;
  const [bits, mode] = [reader.u16(), reader.u16()];
  if (algorithm !== ALG.aes || bits !== 128 || mode !== ALG.cfb) throw malformed('another cipher');
  return true;
}

function readScheme(reader: TpmReader): boolean {
  const scheme = reader.u16();
  if (scheme === ALG.null) return false;
  if (scheme !== ALG.ecdsa || reader.u16() !== ALG.sha256) throw malformed('another scheme');
  return true;
}

function readRsa(reader: TpmReader): webcrypto.JsonWebKey {
  if (reader.u16() !== RSA_BITS) throw malformed('an RSA key of another size');
  const exponent = reader.u32();
  if (exponent !== 0 && exponent !== RSA_EXPONENT) throw malformed('another exponent');
  const modulus = reader.sized(RSA_BITS / 8);
  if (modulus.length !== RSA_BITS / 8 || modulus[0]! < 0x80 || modulus.at(-1)! % 2 === 0)
    throw malformed('no such modulus');
  return { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' };
}

function readEcc(reader: TpmReader): webcrypto.JsonWebKey {
  if (reader.u16() !== CURVE_P256) throw malformed('another curve');
  if (reader.u16() !== ALG.null) throw malformed('a key derivation where none belongs');
  const [x, y] = [reader.sized(32), reader.sized(32)].map((part) =>
    Buffer.concat([Buffer.alloc(32 - part.length), part]).toString('base64url'),
  ) as [string, string];
  return { kty: 'EC', crv: 'P-256', x, y };
}
