import { checkSize, decodeBase64 } from './armor.ts';
import { isCertificateType } from './certificate.ts';
import { SshError } from './error.ts';
import { parsePublicKey } from './key.ts';
import { WireReader } from './wire.ts';

/**
 * A `.pub` file's line, as a registrar pastes it: type, base64, perhaps a comment.
 * @throws SshError `SSH_MALFORMED`, `SSH_UNSUPPORTED` (a certificate, too: pin its CA or the key in it), `SSH_WEAK_KEY`
 */
export function parseSshPublicKey(line: string): { fingerprint: string; type: string } {
  const { type, blob } = parseLine(line);
  if (isCertificateType(type))
    throw new SshError('SSH_UNSUPPORTED', 'that is a certificate: give the .pub file of the key itself');
  const { fingerprint } = parsePublicKey(blob);
  return { fingerprint, type };
}

/** The blob of a `.pub` or `-cert.pub` line, whose type is the one the line says. */
export function parseLine(line: string): { type: string; blob: Buffer } {
  checkSize(line, 'public key line');
  const [, type, text] = /^([^ \t\r\n]+)[ \t]+([^ \t\r\n]+)(?:[ \t][^\r\n]*)?\r?\n?$/.exec(line) ?? [];
  if (type === undefined || text === undefined)
    throw new SshError('SSH_MALFORMED', 'public key line: not one line of type and base64');
  const blob = decodeBase64(text, 'public key line');
  if (new WireReader(blob, 'public key').text('type') !== type)
    throw new SshError('SSH_MALFORMED', 'public key line: the key is not of the type the line says');
  return { type, blob };
}
