import { SshError } from './error.ts';

const MAX_CHARS = 64 * 1024;
const WRITE_COLUMNS = 70;
const MAX_COLUMNS = 76;

/**
 * The bytes between `-----BEGIN label-----` and `-----END label-----`: lines of one length (the last may be shorter), LF only, at most
 * one newline after the end, canonical base64, at most 64 KiB of text. One blob has few armoured forms, so none can smuggle another.
 * @throws SshError `SSH_MALFORMED`
 */
export function decodeArmor(text: string, label: string): Buffer {
  checkSize(text, label);
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const body = lines.slice(1, -1);
  if (
    lines.length < 3 ||
    lines[0] !== `-----BEGIN ${label}-----` ||
    lines.at(-1) !== `-----END ${label}-----`
  )
    throw new SshError('SSH_MALFORMED', `not an armoured ${label}`);
  const columns = body[0]!.length;
  const even = body.every((line, i) =>
    i < body.length - 1 ? line.length === columns : line.length <= columns,
  );
  if (columns > MAX_COLUMNS || !even || body.at(-1) === '')
    throw new SshError('SSH_MALFORMED', `${label}: uneven lines`);
  return decodeBase64(body.join(''), label);
}

/** The armoured text as `ssh-keygen` writes it, with a newline at the end. */
export function encodeArmor(bytes: Buffer, label: string): string {
  const lines = bytes.toString('base64').match(new RegExp(`.{1,${WRITE_COLUMNS}}`, 'g')) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** @throws SshError `SSH_MALFORMED` for anything but canonical, padded base64 */
export function decodeBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new SshError('SSH_MALFORMED', `${what}: not base64`);
  return bytes;
}

/** @throws SshError `SSH_MALFORMED` for a text of over 64 Ki characters */
export function checkSize(text: string, what: string): void {
  if (text.length > MAX_CHARS) throw new SshError('SSH_MALFORMED', `${what}: over ${MAX_CHARS} characters`);
}
