import { SshError } from './error.ts';
import type { SshCertificate } from './identity.ts';
import { parsePublicKey, readKey, readKeyType, type SshPublicKey } from './key.ts';
import { signatureHolds } from './signature.ts';
import { WireReader } from './wire.ts';

const SUFFIX = '-cert-v01@openssh.com';
const HOST = 2;
const MAX_PRINCIPALS = 256;
const LAST_INSTANT_MS = 8.64e15;

/** Whether a public key blob's type is that of a certificate. */
export function isCertificateType(type: string): boolean {
  return type.endsWith(SUFFIX);
}

/**
 * An OpenSSH host certificate (PROTOCOL.certkeys) and the bare key that it certifies. The CA's signature is checked, the validity
 * window is not: `checkWindow` does. Stricter than OpenSSH: an unnamed host is refused, as "any principal" would be every host.
 * @throws SshError `SSH_CERT_UNTRUSTED` (the CA's signature), `SSH_CERT_NOT_HOST`, `SSH_CERT_NO_PRINCIPAL`,
 * `SSH_CERT_CRITICAL_OPTION`, `SSH_WEAK_KEY` (either key), `SSH_UNSUPPORTED` (a certificate as CA, too), `SSH_MALFORMED`
 */
export function parseCertificate(blob: Buffer): { key: SshPublicKey; certificate: SshCertificate } {
  const reader = new WireReader(blob, 'certificate');
  const key = readCertifiedKey(reader);
  const serial = reader.uint64('serial').toString();
  const kind = reader.uint32('type');
  const keyId = reader.text('key id');
  const principals = readPrincipals(reader.string('principals'));
  const validAfter = readInstant(reader.uint64('valid after'));
  const validBefore = readInstant(reader.uint64('valid before'));
  const critical = readOptions(reader.string('critical options'), 'critical options');
  readOptions(reader.string('extensions'), 'extensions');
  const reserved = reader.string('reserved');
  const ca = parsePublicKey(reader.string('CA key'));
  const signed = reader.since(0);
  const signature = reader.string('CA signature');
  reader.end();

  if (!signatureHolds(ca, signature, signed))
    throw new SshError('SSH_CERT_UNTRUSTED', 'certificate: not signed by the CA it names');
  if (kind !== HOST) throw new SshError('SSH_CERT_NOT_HOST', "certificate: not a host's");
  if (critical.length > 0)
    throw new SshError('SSH_CERT_CRITICAL_OPTION', 'certificate: a critical option, and no host has any');
  if (reserved.length > 0) throw new SshError('SSH_UNSUPPORTED', 'certificate: its reserved field is in use');
  if (principals.length === 0) throw new SshError('SSH_CERT_NO_PRINCIPAL', 'certificate: names no host');
  return {
    key,
    certificate: { caFingerprint: ca.fingerprint, principals, keyId, serial, validAfter, validBefore },
  };
}

/** @throws SshError `SSH_CERT_NOT_YET_VALID`, `SSH_CERT_EXPIRED` */
export function checkWindow({ validAfter, validBefore }: SshCertificate, now: Date): void {
  if (!(now >= validAfter)) throw new SshError('SSH_CERT_NOT_YET_VALID', 'certificate: not valid yet');
  if (!(now < validBefore)) throw new SshError('SSH_CERT_EXPIRED', 'certificate: expired');
}

function readCertifiedKey(reader: WireReader): SshPublicKey {
  const type = reader.text('type');
  if (!isCertificateType(type)) throw new SshError('SSH_MALFORMED', 'not a certificate');
  const bare = readKeyType(type.slice(0, -SUFFIX.length));
  reader.string('nonce');
  return readKey(bare, reader);
}

function readPrincipals(bytes: Buffer): string[] {
  const reader = new WireReader(bytes, 'certificate principals');
  const principals: string[] = [];
  while (!reader.atEnd) {
    const name = reader.text('name');
    if (!/^[!-~]+$/.test(name) || principals.length === MAX_PRINCIPALS)
      throw new SshError('SSH_MALFORMED', `certificate principals: up to ${MAX_PRINCIPALS} of visible ASCII`);
    principals.push(name);
  }
  return principals;
}

function readOptions(bytes: Buffer, what: string): string[] {
  const reader = new WireReader(bytes, `certificate ${what}`);
  const names: string[] = [];
  while (!reader.atEnd) {
    const name = reader.text('name');
    reader.string('data');
    if (names.length > 0 && name <= names.at(-1)!)
      throw new SshError('SSH_MALFORMED', `certificate ${what}: not in order, each once`);
    names.push(name);
  }
  return names;
}

/** Seconds since 1970, up to 2^64 - 1, of which a Date holds only a part: what lies beyond becomes its last instant. */
function readInstant(seconds: bigint): Date {
  return new Date(Math.min(Number(seconds) * 1000, LAST_INSTANT_MS));
}
