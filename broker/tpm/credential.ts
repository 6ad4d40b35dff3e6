import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  diffieHellman,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { sized, type TpmPublic, u32 } from '../../lib/tpm/index.ts';

export type Credential = { readonly blob: Buffer; readonly secret: Buffer };

/**
 * Wraps `secret` so that only the TPM that holds the endorsement key opens it, and only if it also holds the key of the name `ak`
 * (`TPM2_MakeCredential`, TPM 2.0 Part 1 §24 and appendices B.10.4 and C.6.4). By the name, all that the attestation key is.
 */
export function makeCredential(ek: TpmPublic, ak: Buffer, secret: Uint8Array): Credential {
  const { seed, encrypted } = ek.type === 'rsa' ? rsaSeed(ek) : eccSeed(ek);
  const cipherKey = kdfa(seed, 'STORAGE', ak).subarray(0, 16);
  const cipher = createCipheriv('aes-128-cfb', cipherKey, Buffer.alloc(16));
  const identity = Buffer.concat([cipher.update(sized(secret)), cipher.final()]);
  const macKey = kdfa(seed, 'INTEGRITY');
  const mac = createHmac('sha256', macKey).update(identity).update(ak).digest();
  return { blob: Buffer.concat([sized(mac), identity]), secret: encrypted };
}

type Seed = { readonly seed: Buffer; readonly encrypted: Buffer };

function rsaSeed({ key }: TpmPublic): Seed {
  const seed = randomBytes(32);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const oaepLabel = Buffer.from('IDENTITY\0');
  return { seed, encrypted: publicEncrypt({ key, padding, oaepHash: 'sha256', oaepLabel }, seed) };
}

function eccSeed({ key }: TpmPublic): Seed {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const shared = diffieHellman({ privateKey, publicKey: key });
  const [own, theirs] = [publicKey, key].map((each) => {
    const { x = '', y = '' } = each.export({ format: 'jwk' });
    return { x: Buffer.from(x, 'base64url'), y: Buffer.from(y, 'base64url') };
  }) as [Point, Point];
  // KDFe, one round of SHA-256
  const seed = createHash('sha256')
    .update(u32(1))
    .update(shared)
    .update('IDENTITY\0')
    .update(own.x)
    .update(theirs.x)
    .digest();
  return { seed, encrypted: Buffer.concat([sized(own.x), sized(own.y)]) };
}

type Point = { readonly x: Buffer; readonly y: Buffer };

/** KDFa, one round of HMAC-SHA256; of which AES-128 takes the first half, and says so in the number of bits. */
function kdfa(key: Buffer, label: 'STORAGE' | 'INTEGRITY', context: Uint8Array = Buffer.alloc(0)): Buffer {
  const bits = label === 'STORAGE' ? 128 : 256;
  return createHmac('sha256', key)
    .update(u32(1))
    .update(`${label}\0`)
    .update(context)
    .update(u32(bits))
    .digest();
}
