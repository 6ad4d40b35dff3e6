import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { armor, certificate, ecdsa, ed25519, rsa, sshsig, u32 } from './forge.ts';
import { itRefuses, MESSAGE, verify } from './judged.ts';

const key = ed25519();
const ca = ed25519();
const strong = rsa(2048);
const curve = ecdsa();

describe('SSH signature: what the forge makes is good until a field is replaced', () => {
  for (const [what, blob] of [
    ['Ed25519', () => sshsig(key, MESSAGE)],
    ['ECDSA', () => sshsig(curve, MESSAGE)],
    ['RSA', () => sshsig(strong, MESSAGE)],
    ['SHA-256', () => sshsig(key, MESSAGE, { hash: 'sha256', digest: 'sha256' })],
    ['RSA with SHA-256', () => sshsig(rsa(2048, 'rsa-sha2-256', 'sha256'), MESSAGE)],
    ['a certificate', () => sshsig(key, MESSAGE, { publicKey: certificate(key, ca) })],
    ['a certificate of ECDSA', () => sshsig(curve, MESSAGE, { publicKey: certificate(curve, strong) })],
    ['a certificate of RSA', () => sshsig(strong, MESSAGE, { publicKey: certificate(strong, curve) })],
  ] as const) {
    it(`verifies ${what}`, () => assert.ok(verify(armor(blob())).keyFingerprint));
  }
});

describe('SSH signature: its fields', () => {
  const forged = (replaced: Parameters<typeof sshsig>[2], maker = key) =>
    armor(sshsig(maker, MESSAGE, replaced));
  itRefuses([
    ['another preamble', 'SSH_MALFORMED', () => forged({ magic: 'SSHSIF' })],
    ['version 0', 'SSH_UNSUPPORTED', () => forged({ version: 0 })],
    ['version 2', 'SSH_UNSUPPORTED', () => forged({ version: 2 })],
    ['another namespace', 'SSH_WRONG_NAMESPACE', () => forged({ namespace: 'file' })],
    ['an empty namespace', 'SSH_WRONG_NAMESPACE', () => forged({ namespace: '' })],
    ['the namespace in upper case', 'SSH_WRONG_NAMESPACE', () => forged({ namespace: 'SIGNET-ATTEST-V1' })],
    ['a namespace that ends in NUL', 'SSH_MALFORMED', () => forged({ namespace: 'signet-attest-v1\0' })],
    ['a namespace that is not UTF-8', 'SSH_MALFORMED', () => forged({ namespace: Buffer.of(0xff) })],
    ['a reserved field in use', 'SSH_UNSUPPORTED', () => forged({ reserved: 'x' })],
    ['SHA-1', 'SSH_UNSUPPORTED', () => forged({ hash: 'sha1', digest: 'sha1' })],
    ['SHA-384', 'SSH_UNSUPPORTED', () => forged({ hash: 'sha384', digest: 'sha384' })],
    ['an inherited name as hash', 'SSH_UNSUPPORTED', () => forged({ hash: 'constructor' })],
    ['a hash other than it says', 'SSH_BAD_SIGNATURE', () => forged({ digest: 'sha256' })],
    ['bytes after its end', 'SSH_MALFORMED', () => forged({ trailing: Buffer.of(0) })],
    ['another key than signed', 'SSH_BAD_SIGNATURE', () => forged({ publicKey: ca.blob })],
    [
      'a length that runs past the end',
      'SSH_MALFORMED',
      () => armor(Buffer.concat([Buffer.from('SSHSIG'), u32(1), u32(0xffffffff)])),
    ],
    ['another message', 'SSH_BAD_SIGNATURE', () => armor(sshsig(key, `${MESSAGE}\n`))],
  ]);
});
