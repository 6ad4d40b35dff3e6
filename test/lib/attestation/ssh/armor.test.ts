import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { armor, ed25519, rsa, sshsig } from './forge.ts';
import { itRefuses, MESSAGE, verify } from './judged.ts';

const key = ed25519();
const good = sshsig(key, MESSAGE);
/** Long enough to hold every letter of base64, and it ends in padding. */
const padded = armor(sshsig(rsa(2048), MESSAGE));
const [header, ...rest] = armor(good).split('\n');

describe('SSH signature: the armour', () => {
  const body = rest.slice(0, -2).join('');
  const wrapped = (text: string) => `${header}\n${text}\n-----END SSH SIGNATURE-----\n`;
  for (const columns of [64, 70, 76]) {
    it(`takes lines of ${columns}`, () => assert.ok(verify(armor(good, columns))));
  }
  it('takes it without its last newline', () => assert.ok(verify(armor(good).trimEnd())));

  itRefuses([
    ['nothing', 'SSH_MALFORMED', () => ''],
    ['one newline', 'SSH_MALFORMED', () => '\n'],
    ['the header alone', 'SSH_MALFORMED', () => header!],
    ['an empty body', 'SSH_MALFORMED', () => wrapped('')],
    ['no body', 'SSH_MALFORMED', () => `${header}\n-----END SSH SIGNATURE-----`],
    ['text before the header', 'SSH_MALFORMED', () => ` ${armor(good)}`],
    ['text after the footer', 'SSH_MALFORMED', () => `${armor(good)} `],
    ['two newlines at the end', 'SSH_MALFORMED', () => `${armor(good)}\n`],
    ['two signatures', 'SSH_MALFORMED', () => armor(good).repeat(2)],
    ['another label', 'SSH_MALFORMED', () => armor(good).replaceAll('SSH SIGNATURE', 'SSH SIGNATURES')],
    ['carriage returns', 'SSH_MALFORMED', () => armor(good).replaceAll('\n', '\r\n')],
    ['another footer', 'SSH_MALFORMED', () => armor(good).replace('END SSH', 'END PGP')],
    ['no footer', 'SSH_MALFORMED', () => armor(good).replace(/-----END.*/, '')],
    [
      'a blank line after even ones',
      'SSH_MALFORMED',
      () => armor(good, 62).replace('\n-----END', '\n\n-----END'),
    ],
    ['a space in the base64', 'SSH_MALFORMED', () => armor(good).replace('\n-----END', ' \n-----END')],
    [
      'base64url',
      'SSH_MALFORMED',
      () =>
        armor(sshsig(rsa(2048), MESSAGE))
          .replaceAll('+', '-')
          .replaceAll('/', '_'),
    ],
    ['base64 without its padding', 'SSH_MALFORMED', () => padded.replace(/=+/, '')],
    ['base64 with stray bits', 'SSH_MALFORMED', () => padded.replace(/.(?==)/, strayBits)],
    ['uneven lines', 'SSH_MALFORMED', () => wrapped(body.replace(/^(.{70})(.{10})/, '$1\n$2\n'))],
    ['a last line longer than the first', 'SSH_MALFORMED', () => wrapped(body.replace(/^.{10}/, '$&\n'))],
    ['lines over 76', 'SSH_MALFORMED', () => armor(good, 80)],
    [
      'more than 64 KiB',
      'SSH_MALFORMED',
      () => armor(sshsig(key, MESSAGE, { reserved: Buffer.alloc(48 * 1024) })),
    ],
  ]);
});

/** The next letter: it differs in the lowest bit only, which padding makes void. */
function strayBits(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) + 1);
}
