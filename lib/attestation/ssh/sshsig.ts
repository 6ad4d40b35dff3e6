import { createHash } from 'node:crypto';
import { decodeArmor, encodeArmor } from './armor.ts';
import { checkWindow, isCertificateType, parseCertificate } from './certificate.ts';
import { SshError } from './error.ts';
import type { SshCertificate, SshIdentity, SshNamespace } from './identity.ts';
import { parsePublicKey, type SshPublicKey } from './key.ts';
import { signatureHolds } from './signature.ts';
import { WireReader, wireString, wireUint32 } from './wire.ts';

const LABEL = 'SSH SIGNATURE';
const MAGIC = 'SSHSIG';
const VERSION = 1;
const HASHES = ['sha256', 'sha512'] as const;
type Hash = (typeof HASHES)[number];

/**
 * Verifies an armoured SSHSIG (PROTOCOL.sshsig) over `message` and says who signed. It proves possession of the key and, for a
 * certificate, that some CA vouches for it at `now`; whether that key or that CA may do anything is the caller's to decide.
 * @throws SshError with the first rule it breaks; the window is judged last, so "expired" is said of a genuine signer only
 */
export function verifySshSignature(input: {
  armored: string;
  namespace: SshNamespace;
  message: Uint8Array;
  now: Date;
}): SshIdentity {
  const { publicKey, namespace, hash, signature } = parseSshsig(decodeArmor(input.armored, LABEL));
  if (namespace !== input.namespace)
    throw new SshError('SSH_WRONG_NAMESPACE', `signature: not made for ${input.namespace}`);
  const { key, certificate } = parseSigner(publicKey);
  if (!signatureHolds(key, signature, signedData(namespace, hash, input.message)))
    throw new SshError('SSH_BAD_SIGNATURE', 'signature: does not match the message');
  if (certificate !== undefined) checkWindow(certificate, input.now);
  return {
    keyFingerprint: key.fingerprint,
    keyType: key.type,
    ...(certificate === undefined ? {} : { certificate }),
  };
}

/**
 * Armours a signature made by `sign` over the bytes it is given. `publicKey` is the blob of a bare key or of a certificate.
 */
export function formatSshsig(
  parts: { publicKey: Buffer; namespace: SshNamespace; message: Uint8Array },
  sign: (data: Buffer) => Buffer,
): string {
  const { publicKey, namespace, message } = parts;
  const signature = sign(signedData(namespace, 'sha512', message));
  const fields = [publicKey, namespace, '', 'sha512', signature].map(wireString);
  return encodeArmor(Buffer.concat([Buffer.from(MAGIC), wireUint32(VERSION), ...fields]), LABEL);
}

function parseSshsig(blob: Buffer) {
  const reader = new WireReader(blob, 'signature');
  if (reader.raw(MAGIC.length, 'preamble').toString('latin1') !== MAGIC)
    throw new SshError('SSH_MALFORMED', 'signature: not an SSHSIG');
  if (reader.uint32('version') !== VERSION)
    throw new SshError('SSH_UNSUPPORTED', `signature: not of version ${VERSION}`);
  const publicKey = reader.string('public key');
  const namespace = reader.text('namespace');
  const reserved = reader.string('reserved');
  const hashName = reader.text('hash algorithm');
  const signature = reader.string('signature');
  reader.end();
  // The standard lets a verifier ignore this field; what it may one day restrict, this verifier would not know.
  if (reserved.length > 0) throw new SshError('SSH_UNSUPPORTED', 'signature: its reserved field is in use');
  const hash = HASHES.find((name) => name === hashName);
  if (hash === undefined)
    throw new SshError('SSH_UNSUPPORTED', `signature: hash not of ${HASHES.join(', ')}`);
  return { publicKey, namespace, hash, signature };
}

function parseSigner(blob: Buffer): { key: SshPublicKey; certificate?: SshCertificate } {
  const type = new WireReader(blob, 'public key').text('type');
  return isCertificateType(type) ? parseCertificate(blob) : { key: parsePublicKey(blob) };
}

function signedData(namespace: string, hash: Hash, message: Uint8Array): Buffer {
  const digest = createHash(hash).update(message).digest();
  return Buffer.concat([Buffer.from(MAGIC), ...[namespace, '', hash, digest].map(wireString)]);
}
