import { createPrivateKey, type KeyObject } from 'node:crypto';
import { checkSize } from './armor.ts';
import { parseCertificate } from './certificate.ts';
import { SshError } from './error.ts';
import type { SshSigner } from './identity.ts';
import { publicKeyOf, type SshPublicKey } from './key.ts';
import { parseOpensshKey } from './openssh-key.ts';
import { parseLine } from './public-line.ts';
import { signatureHolds, signData } from './signature.ts';
import { formatSshsig } from './sshsig.ts';

/**
 * A host key that can sign: OpenSSH's own format, or PEM (PKCS#8, PKCS#1, SEC 1); with the text of its `-cert.pub` file, it signs as
 * the holder of that certificate. No error carries any of the key.
 * @throws SshError `SSH_KEY_ENCRYPTED`, `SSH_UNSUPPORTED`, `SSH_WEAK_KEY`, `SSH_MALFORMED`, `SSH_KEY_MISMATCH` (the file's two halves,
 * or the certificate's key, are not one key's), and `parseCertificate`'s
 */
export function parseSshPrivateKey(text: string, certificateText?: string): SshSigner {
  checkSize(text, 'private key');
  const privateKey = readPrivateKey(text.replaceAll('\r\n', '\n').trim());
  const publicKey = publicKeyOf(privateKey);
  checkPair(publicKey, privateKey);
  const held = certificateText === undefined ? undefined : readCertificate(certificateText, publicKey);
  return {
    fingerprint: publicKey.fingerprint,
    keyType: publicKey.type,
    ...(held === undefined ? {} : { certificate: held.certificate }),
    sign: (namespace, message) =>
      formatSshsig({ publicKey: held?.blob ?? publicKey.blob, namespace, message }, (data) =>
        signData(publicKey.type, privateKey, data),
      ),
  };
}

function readPrivateKey(text: string): KeyObject {
  if (text.startsWith('-----BEGIN OPENSSH PRIVATE KEY-----')) return parseOpensshKey(text);
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    throw new SshError(
      'SSH_KEY_ENCRYPTED',
      'private key: it has a passphrase; give one without (a host key)',
    );
  try {
    return createPrivateKey(text);
  } catch {
    throw new SshError('SSH_MALFORMED', 'private key: neither OpenSSH nor PEM');
  }
}

/** A damaged private half would sign what nobody can verify, and a damaged RSA one could give itself away. */
function checkPair(publicKey: SshPublicKey, privateKey: KeyObject): void {
  const probe = Buffer.from('signet: one pair');
  const holds = () => signatureHolds(publicKey, signData(publicKey.type, privateKey, probe), probe);
  try {
    if (holds()) return;
  } catch {
    // It cannot sign at all: the same answer.
  }
  throw new SshError('SSH_KEY_MISMATCH', 'private key: its halves do not belong together');
}

function readCertificate(text: string, publicKey: SshPublicKey) {
  const { blob } = parseLine(text);
  const { key, certificate } = parseCertificate(blob);
  if (!key.blob.equals(publicKey.blob))
    throw new SshError('SSH_KEY_MISMATCH', "certificate: not this private key's");
  return { blob, certificate };
}
