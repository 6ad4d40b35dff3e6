import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/*
 * Signatures and certificates as an attacker would build them: every field can be replaced, and what is signed is then signed
 * properly, so that the replaced field is all that is wrong. Written apart from the code under test.
 */

type Bytes = Uint8Array | string;
type Maker = { readonly blob: Buffer; readonly sign: (data: Buffer) => Buffer };

export const u32 = (value: number) => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
const u64 = (value: bigint) => Buffer.from(value.toString(16).padStart(16, '0'), 'hex');
export const str = (value: Bytes) => Buffer.concat([u32(Buffer.from(value).length), Buffer.from(value)]);
export const list = (...values: Bytes[]) => Buffer.concat(values.map(str));
export const mpint = (magnitude: Buffer) => {
  let bytes = magnitude;
  while (bytes[0] === 0) bytes = bytes.subarray(1);
  return str(bytes[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
};

const part = (key: KeyObject, name: 'n' | 'e' | 'x' | 'y') =>
  Buffer.from(createPublicKey(key).export({ format: 'jwk' })[name]!, 'base64url');

export function ed25519(): Maker {
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    blob: list('ssh-ed25519', part(privateKey, 'x')),
    sign: (data) => list('ssh-ed25519', sign(null, data, privateKey)),
  };
}

/** `join` writes the two numbers of a signature. */
export function ecdsa(
  join: (r: Buffer, s: Buffer) => Buffer = (r, s) => Buffer.concat([mpint(r), mpint(s)]),
): Maker {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const point = Buffer.concat([Buffer.of(4), part(privateKey, 'x'), part(privateKey, 'y')]);
  return {
    blob: list('ecdsa-sha2-nistp256', 'nistp256', point),
    sign: (data) => {
      const both = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return list('ecdsa-sha2-nistp256', join(both.subarray(0, 32), both.subarray(32)));
    },
  };
}

export function rsa(bits: number, algorithm = 'rsa-sha2-512', hash = 'sha512'): Maker {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return {
    blob: Buffer.concat([str('ssh-rsa'), mpint(part(privateKey, 'e')), mpint(part(privateKey, 'n'))]),
    sign: (data) => list(algorithm, sign(hash, data, privateKey)),
  };
}

/** The bytes of an SSHSIG, before they are armoured. */
export function sshsig(maker: Maker, message: Bytes, replaced: Partial<SshsigFields> = {}): Buffer {
  const f = { ...SSHSIG, publicKey: maker.blob, ...replaced };
  const digest = createHash(f.digest).update(message).digest();
  const signature = maker.sign(
    Buffer.concat([Buffer.from('SSHSIG'), list(f.namespace, f.reserved, f.hash, digest)]),
  );
  const fields = list(f.publicKey, f.namespace, f.reserved, f.hash, f.bend(signature));
  return Buffer.concat([Buffer.from(f.magic), u32(f.version), fields, f.trailing]);
}

const SSHSIG = {
  magic: 'SSHSIG',
  version: 1,
  namespace: 'signet-attest-v1' as Bytes,
  reserved: '' as Bytes,
  hash: 'sha512',
  /** The hash that is really used. */
  digest: 'sha512',
  bend: (signature: Buffer) => signature,
  trailing: Buffer.alloc(0),
};
type SshsigFields = typeof SSHSIG & { publicKey: Buffer };

/** A host certificate's bytes. Give it to `sshsig` as `publicKey`. */
export function certificate(subject: Maker, ca: Maker, replaced: Partial<CertificateFields> = {}): Buffer {
  const [type, keyFields] = splitType(subject.blob);
  const f = { ...CERTIFICATE, type: `${type}-cert-v01@openssh.com`, caKey: ca.blob, ...replaced };
  const signed = Buffer.concat([
    list(f.type, f.nonce),
    keyFields,
    u64(f.serial),
    u32(f.kind),
    list(f.keyId, f.principals),
    u64(f.after),
    u64(f.before),
    list(f.critical, f.extensions, f.reserved, f.caKey),
  ]);
  return Buffer.concat([signed, str(f.bend(ca.sign(signed))), f.trailing]);
}

const CERTIFICATE = {
  nonce: Buffer.alloc(32, 7) as Bytes,
  serial: 7n,
  kind: 2,
  keyId: 'the id' as Bytes,
  principals: list('host.example'),
  after: 1_700_000_000n,
  before: 1_800_000_000n,
  critical: Buffer.alloc(0),
  extensions: Buffer.alloc(0),
  reserved: '' as Bytes,
  bend: (signature: Buffer) => signature,
  trailing: Buffer.alloc(0),
};
type CertificateFields = typeof CERTIFICATE & { type: string; caKey: Buffer };

function splitType(blob: Buffer): [string, Buffer] {
  const end = 4 + blob.readUInt32BE();
  return [blob.subarray(4, end).toString(), blob.subarray(end)];
}

export function armor(blob: Buffer, columns = 70): string {
  const body = blob.toString('base64').replaceAll(new RegExp(`.{${columns}}(?=.)`, 'g'), '$&\n');
  return `-----BEGIN SSH SIGNATURE-----\n${body}\n-----END SSH SIGNATURE-----\n`;
}
