import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'mocha';
import { parseSshPublicKey, SshError } from '../../../../lib/attestation/ssh/index.ts';
import { ed25519, list } from './forge.ts';

const { blob } = ed25519();
const text = blob.toString('base64');
const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').slice(0, 43)}`;

describe('SSH public key line', () => {
  for (const [what, line] of [
    ['type and key', `ssh-ed25519 ${text}`],
    ['a comment', `ssh-ed25519 ${text} root@host, the first`],
    ['a newline', `ssh-ed25519 ${text} root@host\n`],
    ['a newline of Windows', `ssh-ed25519 ${text}\r\n`],
    ['a tab', `ssh-ed25519\t${text}`],
  ] as const) {
    it(`takes ${what}`, () => {
      assert.deepEqual(parseSshPublicKey(line), { fingerprint, type: 'ssh-ed25519' });
    });
  }

  for (const [what, code, line] of [
    ['nothing', 'SSH_MALFORMED', ''],
    ['a type alone', 'SSH_MALFORMED', 'ssh-ed25519'],
    ['two lines', 'SSH_MALFORMED', `ssh-ed25519 ${text}\nssh-ed25519 ${text}`],
    ['options in front', 'SSH_MALFORMED', `restrict ssh-ed25519 ${text}`],
    ['another type than the key', 'SSH_MALFORMED', `ssh-rsa ${text}`],
    ['a key cut short', 'SSH_MALFORMED', `ssh-ed25519 ${text.slice(0, -8)}`],
    [
      'a key without padding',
      'SSH_MALFORMED',
      `ssh-ed25519 ${list('ssh-ed25519').toString('base64').replace(/=+$/, '')}`,
    ],
    [
      'a key and more',
      'SSH_MALFORMED',
      `ssh-ed25519 ${Buffer.concat([blob, Buffer.of(0)]).toString('base64')}`,
    ],
    ['a private key', 'SSH_MALFORMED', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['over 64 KiB', 'SSH_MALFORMED', `ssh-ed25519 ${text} ${'x'.repeat(64 * 1024)}`],
    [
      'a security key',
      'SSH_UNSUPPORTED',
      `sk-ssh-ed25519@openssh.com ${list('sk-ssh-ed25519@openssh.com').toString('base64')}`,
    ],
    ['DSA', 'SSH_UNSUPPORTED', `ssh-dss ${list('ssh-dss').toString('base64')}`],
  ] as const) {
    it(`refuses ${what}: ${code}`, () => {
      assert.throws(
        () => parseSshPublicKey(line),
        (error) => error instanceof SshError && error.code === code,
      );
    });
  }
});
