import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { SshErrorCode } from '../../../../lib/attestation/ssh/index.ts';
import { armor, certificate, ecdsa, ed25519, list, rsa, sshsig } from './forge.ts';
import { MESSAGE, verdict, verify } from './judged.ts';

const AFTER = 1_700_000_000;
const BEFORE = 1_800_000_000;
const MID_MS = 1_750_000_000_000;

const key = ed25519();
const ca = ed25519();
type Replaced = Parameters<typeof certificate>[2];

const present = (replaced: Replaced, now = new Date(MID_MS), authority = ca) =>
  verify(armor(sshsig(key, MESSAGE, { publicKey: certificate(key, authority, replaced) })), now);

describe('SSH host certificate', () => {
  it('says what the CA said', () => {
    const bare = verify(armor(sshsig(key, MESSAGE)), new Date(MID_MS));
    const authority = verify(armor(sshsig(ca, MESSAGE)), new Date(MID_MS));
    assert.deepEqual(present({ principals: list('a.example', 'b') }), {
      ...bare,
      certificate: {
        caFingerprint: authority.keyFingerprint,
        principals: ['a.example', 'b'],
        keyId: 'the id',
        serial: '7',
        validAfter: new Date(AFTER * 1000),
        validBefore: new Date(BEFORE * 1000),
      },
    });
  });

  for (const [what, now, want] of [
    ['a millisecond before it begins', AFTER * 1000 - 1, 'SSH_CERT_NOT_YET_VALID'],
    ['as it begins', AFTER * 1000, 'accepted'],
    ['a millisecond before it ends', BEFORE * 1000 - 1, 'accepted'],
    ['as it ends', BEFORE * 1000, 'SSH_CERT_EXPIRED'],
    ['at no time at all', Number.NaN, 'SSH_CERT_NOT_YET_VALID'],
  ] as const) {
    it(`${what}: ${want}`, () =>
      assert.equal(
        verdict(() => present({}, new Date(now))),
        want,
      ));
  }

  const last = 2n ** 64n - 1n;
  for (const [what, code, replaced] of [
    ['no end', 'accepted', { before: last }],
    ['no beginning', 'accepted', { after: 0n }],
    ['a beginning beyond all dates', 'SSH_CERT_NOT_YET_VALID', { after: last, before: last }],
    [
      'an end before its beginning',
      'SSH_CERT_NOT_YET_VALID',
      { after: BigInt(BEFORE), before: BigInt(AFTER) },
    ],
    ['an empty key id', 'accepted', { keyId: '' }],
    ['a key id beyond ASCII', 'accepted', { keyId: 'hôte' }],
    ['a key id with a line break', 'SSH_MALFORMED', { keyId: 'a\nb' }],
    ['a key id that is not UTF-8', 'SSH_MALFORMED', { keyId: Buffer.of(0xc3, 0x28) }],
    ['no nonce', 'accepted', { nonce: '' }],
    ['an unknown extension', 'accepted', { extensions: list('x@example.org', '') }],
    ['extensions out of order', 'SSH_MALFORMED', { extensions: list('b', '', 'a', '') }],
    ['an extension twice', 'SSH_MALFORMED', { extensions: list('a', '', 'a', '') }],
    ['an extension without data', 'SSH_MALFORMED', { extensions: list('a') }],
    ['a critical option', 'SSH_CERT_CRITICAL_OPTION', { critical: list('x@example.org', '') }],
    [
      "a user's critical option",
      'SSH_CERT_CRITICAL_OPTION',
      { critical: list('source-address', list('::/0')) },
    ],
    ['a damaged critical option', 'SSH_MALFORMED', { critical: Buffer.of(0) }],
    ['a reserved field in use', 'SSH_UNSUPPORTED', { reserved: 'x' }],
    ['no principal', 'SSH_CERT_NO_PRINCIPAL', { principals: Buffer.alloc(0) }],
    ['an empty principal', 'SSH_MALFORMED', { principals: list('host.example', '') }],
    ['a principal with a space', 'SSH_MALFORMED', { principals: list('a b') }],
    ['a principal with a NUL', 'SSH_MALFORMED', { principals: list('host.example\0.evil.example') }],
    ['a principal beyond ASCII', 'SSH_MALFORMED', { principals: list('hôte') }],
    ['principals cut short', 'SSH_MALFORMED', { principals: list('host.example').subarray(0, -1) }],
    ['256 principals', 'accepted', { principals: list(...new Array<string>(256).fill('a')) }],
    ['257 principals', 'SSH_MALFORMED', { principals: list(...new Array<string>(257).fill('a')) }],
    ["a user's kind", 'SSH_CERT_NOT_HOST', { kind: 1 }],
    ['kind 0', 'SSH_CERT_NOT_HOST', { kind: 0 }],
    ['kind 3', 'SSH_CERT_NOT_HOST', { kind: 3 }],
    ['bytes after its end', 'SSH_MALFORMED', { trailing: Buffer.of(0) }],
    ['the type of another key', 'SSH_MALFORMED', { type: 'ecdsa-sha2-nistp256-cert-v01@openssh.com' }],
    ['the type of a security key', 'SSH_UNSUPPORTED', { type: 'sk-ssh-ed25519-cert-v01@openssh.com' }],
    ['the type of DSA', 'SSH_UNSUPPORTED', { type: 'ssh-dss-cert-v01@openssh.com' }],
    [
      'an RSA type that is only for the wire',
      'SSH_UNSUPPORTED',
      { type: 'rsa-sha2-512-cert-v01@openssh.com' },
    ],
    ['the first version of the format', 'SSH_UNSUPPORTED', { type: 'ssh-ed25519-cert-v00@openssh.com' }],
    [
      'a type with the suffix twice',
      'SSH_UNSUPPORTED',
      { type: 'ssh-ed25519-cert-v01@openssh.com-cert-v01@openssh.com' },
    ],
  ] as const satisfies readonly (readonly [string, SshErrorCode | 'accepted', Replaced])[]) {
    it(`with ${what}: ${code}`, () =>
      assert.equal(
        verdict(() => present(replaced)),
        code,
      ));
  }
});

describe("SSH host certificate: its CA's signature", () => {
  const other = ed25519();
  for (const [what, code, run] of [
    ['another key than the one named', 'SSH_CERT_UNTRUSTED', () => present({ caKey: other.blob })],
    ['one bit off', 'SSH_CERT_UNTRUSTED', () => present({ bend: flipLast })],
    [
      'made by the host itself, in the name of the CA',
      'SSH_CERT_UNTRUSTED',
      () => present({ bend: () => key.sign(Buffer.from('x')) }),
    ],
    ['a CA that is itself certified', 'SSH_UNSUPPORTED', () => present({ caKey: certificate(ca, other) })],
    [
      'a security key',
      'SSH_UNSUPPORTED',
      () => present({ caKey: list('sk-ssh-ed25519@openssh.com', Buffer.alloc(32), 'ssh:') }),
    ],
    [
      'an algorithm not its key’s',
      'SSH_UNSUPPORTED',
      () => present({ bend: (s) => list('rsa-sha2-512', s.subarray(-64)) }),
    ],
    ['bytes after it', 'SSH_MALFORMED', () => present({ bend: (s) => Buffer.concat([s, Buffer.of(0)]) })],
    ['none', 'SSH_MALFORMED', () => present({ bend: () => Buffer.alloc(0) })],
    ['RSA of 1024 bits', 'SSH_WEAK_KEY', () => present({}, undefined, rsa(1024))],
    ['RSA with SHA-1', 'SSH_UNSUPPORTED', () => present({}, undefined, rsa(2048, 'ssh-rsa', 'sha1'))],
    ['ECDSA', 'accepted', () => present({}, undefined, ecdsa())],
    ['RSA with SHA-256', 'accepted', () => present({}, undefined, rsa(2048, 'rsa-sha2-256', 'sha256'))],
    ['the host key itself', 'accepted', () => present({}, undefined, key)],
  ] as const satisfies readonly (readonly [string, SshErrorCode | 'accepted', () => unknown])[]) {
    it(`${what}: ${code}`, () => assert.equal(verdict(run), code));
  }

  it('is judged before all that it covers: an expired forgery is a forgery', () => {
    assert.equal(
      verdict(() => present({ before: 1n, kind: 1, bend: flipLast })),
      'SSH_CERT_UNTRUSTED',
    );
  });

  it('does not make up for a signature by another key', () => {
    const armored = armor(sshsig(other, MESSAGE, { publicKey: certificate(key, ca) }));
    assert.equal(
      verdict(() => verify(armored, new Date(MID_MS))),
      'SSH_BAD_SIGNATURE',
    );
  });
});

function flipLast(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[flipped.length - 1]! ^= 1;
  return flipped;
}
