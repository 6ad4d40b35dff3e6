import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { SshError, type SshErrorCode, verifySshSignature } from '../../../../lib/attestation/ssh/index.ts';
import { armor, certificate, ecdsa, ed25519, list, mpint, rsa, sshsig, str, u32 } from './forge.ts';

const MESSAGE = 'signet-attest-v1\nexample.org\nchallenge\n00ff\n';
const NOW = new Date(1_750_000_000_000);

const verify = (armored: string, now = NOW) =>
  verifySshSignature({ armored, namespace: 'signet-attest-v1', message: Buffer.from(MESSAGE), now });

const key = ed25519();
const ca = ed25519();
const strong = rsa(2048);
const curve = ecdsa();
const good = sshsig(key, MESSAGE);
const [header, ...rest] = armor(good).split('\n');

function refuses(cases: readonly (readonly [string, SshErrorCode, () => string])[]): void {
  for (const [what, code, make] of cases) {
    it(`refuses ${what}`, () => {
      const armored = make();
      assert.throws(
        () => verify(armored),
        (error) => {
          assert.ok(error instanceof SshError, String(error));
          assert.equal(error.code, code, error.message);
          return true;
        },
      );
    });
  }
}

describe('SSH signature: what the forge makes is good until a field is replaced', () => {
  for (const [what, blob] of [
    ['Ed25519', () => good],
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

describe('SSH signature: the armour', () => {
  const body = rest.slice(0, -2).join('');
  const wrapped = (text: string) => `${header}\n${text}\n-----END SSH SIGNATURE-----\n`;
  for (const columns of [64, 70, 76]) {
    it(`takes lines of ${columns}`, () => assert.ok(verify(armor(good, columns))));
  }
  it('takes it without its last newline', () => assert.ok(verify(armor(good).trimEnd())));

  refuses([
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
    ['a space in the base64', 'SSH_MALFORMED', () => wrapped(`${body.slice(0, 9)} ${body.slice(9, 40)}`)],
    ['base64url', 'SSH_MALFORMED', () => wrapped('U1NIU0lH-_8=')],
    ['base64 without its padding', 'SSH_MALFORMED', () => wrapped('U1NIU0lHAA')],
    ['base64 with stray bits', 'SSH_MALFORMED', () => wrapped('U1NIU0lHAB==')],
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

describe('SSH signature: its fields', () => {
  const forged = (replaced: Parameters<typeof sshsig>[2], maker = key) =>
    armor(sshsig(maker, MESSAGE, replaced));
  refuses([
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

describe('SSH signature: its key', () => {
  const withKey = (publicKey: Buffer) => armor(sshsig(key, MESSAGE, { publicKey }));
  const point = curve.blob.subarray(-65);
  const offCurve = Buffer.from(point);
  offCurve[64]! ^= 1;
  const compressed = Buffer.concat([Buffer.of(2 + (point[64]! & 1)), point.subarray(1, 33)]);
  const ec = (...fields: (string | Buffer)[]) => withKey(list(...fields));
  const [e, n] = [Buffer.of(1, 0, 1), Buffer.alloc(256, 0xff)];
  const rsaKey = (exponent: Buffer, modulus: Buffer) =>
    withKey(Buffer.concat([str('ssh-rsa'), exponent, modulus]));
  refuses([
    ['none', 'SSH_MALFORMED', () => withKey(Buffer.alloc(0))],
    [
      'a security key',
      'SSH_UNSUPPORTED',
      () => withKey(list('sk-ssh-ed25519@openssh.com', Buffer.alloc(32), 'ssh:')),
    ],
    [
      'a security key of ECDSA',
      'SSH_UNSUPPORTED',
      () => ec('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', point, 'ssh:'),
    ],
    ['DSA', 'SSH_UNSUPPORTED', () => withKey(list('ssh-dss', e, e, e, e))],
    ['Ed448', 'SSH_UNSUPPORTED', () => withKey(list('ssh-ed448', Buffer.alloc(57)))],
    ['an inherited name as type', 'SSH_UNSUPPORTED', () => withKey(list('toString', Buffer.alloc(32)))],
    [
      'a type with a control character',
      'SSH_MALFORMED',
      () => withKey(list('ssh-ed25519\n', Buffer.alloc(32))),
    ],
    ['an Ed25519 key of 31 bytes', 'SSH_MALFORMED', () => withKey(list('ssh-ed25519', Buffer.alloc(31)))],
    ['an Ed25519 key and more', 'SSH_MALFORMED', () => withKey(Buffer.concat([key.blob, str('')]))],
    ['a curve not of its type', 'SSH_MALFORMED', () => ec('ecdsa-sha2-nistp256', 'nistp384', point)],
    ['a point of another size', 'SSH_MALFORMED', () => ec('ecdsa-sha2-nistp384', 'nistp384', point)],
    ['a point off its curve', 'SSH_MALFORMED', () => ec('ecdsa-sha2-nistp256', 'nistp256', offCurve)],
    ['a compressed point', 'SSH_MALFORMED', () => ec('ecdsa-sha2-nistp256', 'nistp256', compressed)],
    ['the point at infinity', 'SSH_MALFORMED', () => ec('ecdsa-sha2-nistp256', 'nistp256', Buffer.of(0))],
    [
      'RSA of 2047 bits',
      'SSH_WEAK_KEY',
      () => rsaKey(mpint(e), mpint(Buffer.concat([Buffer.of(0x7f), n.subarray(1)]))),
    ],
    ['RSA of 1024 bits', 'SSH_WEAK_KEY', () => armor(sshsig(rsa(1024), MESSAGE))],
    [
      'RSA of 8193 bits',
      'SSH_UNSUPPORTED',
      () => rsaKey(mpint(e), mpint(Buffer.concat([Buffer.of(1), Buffer.alloc(1024, 0xff)]))),
    ],
    [
      'an even RSA modulus',
      'SSH_MALFORMED',
      () => rsaKey(mpint(e), mpint(Buffer.concat([n.subarray(1), Buffer.of(0xfe)]))),
    ],
    ['an RSA exponent of 1', 'SSH_MALFORMED', () => rsaKey(mpint(Buffer.of(1)), mpint(n))],
    ['an even RSA exponent', 'SSH_MALFORMED', () => rsaKey(mpint(Buffer.of(1, 0, 2)), mpint(n))],
    [
      'an RSA exponent of five bytes',
      'SSH_MALFORMED',
      () => rsaKey(mpint(Buffer.of(1, 0, 0, 0, 1)), mpint(n)),
    ],
    ['a negative RSA modulus', 'SSH_MALFORMED', () => rsaKey(mpint(e), str(n))],
    [
      'a padded RSA modulus',
      'SSH_MALFORMED',
      () => rsaKey(mpint(e), str(Buffer.concat([Buffer.alloc(2), n]))),
    ],
    ['an RSA exponent of zero', 'SSH_MALFORMED', () => rsaKey(str(''), mpint(n))],
    [
      'an RSA exponent with a needless zero',
      'SSH_MALFORMED',
      () => rsaKey(str(Buffer.of(0, 1, 0, 1)), mpint(n)),
    ],
  ]);
});

describe('SSH signature: the signature in it', () => {
  const bent = (bend: (signature: Buffer) => Buffer, maker = key) => armor(sshsig(maker, MESSAGE, { bend }));
  const numbers = (join: (r: Buffer, s: Buffer) => Buffer) => armor(sshsig(ecdsa(join), MESSAGE));
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
  refuses([
    ['none', 'SSH_MALFORMED', () => bent(() => Buffer.alloc(0))],
    ['an empty one', 'SSH_BAD_SIGNATURE', () => bent(() => list('ssh-ed25519', ''))],
    ['bytes after it', 'SSH_MALFORMED', () => bent((s) => Buffer.concat([s, Buffer.of(0)]))],
    [
      'an algorithm not its key’s',
      'SSH_UNSUPPORTED',
      () => bent((s) => list('rsa-sha2-512', s.subarray(-64))),
    ],
    ['RSA with SHA-1', 'SSH_UNSUPPORTED', () => armor(sshsig(rsa(2048, 'ssh-rsa', 'sha1'), MESSAGE))],
    [
      'RSA with SHA-512 called SHA-256',
      'SSH_BAD_SIGNATURE',
      () => armor(sshsig(rsa(2048, 'rsa-sha2-256', 'sha512'), MESSAGE)),
    ],
    [
      'RSA named as its certificate type',
      'SSH_UNSUPPORTED',
      () => armor(sshsig(rsa(2048, 'rsa-sha2-512-cert-v01@openssh.com'), MESSAGE)),
    ],
    [
      'an RSA one a byte short',
      'SSH_BAD_SIGNATURE',
      () => bent((s) => list('rsa-sha2-512', s.subarray(-255)), strong),
    ],
    [
      'an RSA one with a zero in front',
      'SSH_BAD_SIGNATURE',
      () => bent((s) => list('rsa-sha2-512', Buffer.concat([Buffer.alloc(1), s.subarray(-256)])), strong),
    ],
    ['an ECDSA one as bare bytes', 'SSH_MALFORMED', () => numbers((r, s) => Buffer.concat([r, s]))],
    ['an ECDSA r of zero', 'SSH_MALFORMED', () => numbers((_, s) => Buffer.concat([str(''), mpint(s)]))],
    [
      'an ECDSA s of the order',
      'SSH_BAD_SIGNATURE',
      () => numbers((r) => Buffer.concat([mpint(r), mpint(order)])),
    ],
    [
      'an ECDSA r too large',
      'SSH_MALFORMED',
      () => numbers((r, s) => Buffer.concat([mpint(Buffer.concat([Buffer.of(1), r])), mpint(s)])),
    ],
    [
      'an ECDSA r with a needless zero',
      'SSH_MALFORMED',
      () => numbers((r, s) => Buffer.concat([str(Buffer.concat([Buffer.alloc(2), r])), mpint(s)])),
    ],
    [
      'an ECDSA r that is negative',
      'SSH_MALFORMED',
      () => numbers((_, s) => Buffer.concat([str(Buffer.alloc(32, 0xff)), mpint(s)])),
    ],
    [
      'a third ECDSA number',
      'SSH_MALFORMED',
      () => numbers((r, s) => Buffer.concat([mpint(r), mpint(s), mpint(s)])),
    ],
    ['r and s swapped', 'SSH_BAD_SIGNATURE', () => numbers((r, s) => Buffer.concat([mpint(s), mpint(r)]))],
  ]);
});
