import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { armor, ecdsa, ed25519, list, mpint, rsa, sshsig, str } from './forge.ts';
import { itRefuses, MESSAGE, verify } from './judged.ts';

const key = ed25519();
const curve = ecdsa();

describe('SSH signature: its key', () => {
  const withKey = (publicKey: Buffer) => armor(sshsig(key, MESSAGE, { publicKey }));
  const point = curve.blob.subarray(-65);
  const offCurve = Buffer.from(point);
  offCurve[64]! ^= 1;
  const compressed = Buffer.concat([Buffer.of(2 + (point[64]! & 1)), point.subarray(1, 33)]);
  const ec = (...fields: (string | Buffer)[]) => withKey(list(...fields));
  const [e, n] = [Buffer.of(1, 0, 1), Buffer.alloc(256, 0xff)];
  const rsaKey = (exponent: Buffer, modulus: Buffer) =>
    armor(
      sshsig(key, MESSAGE, {
        publicKey: Buffer.concat([str('ssh-rsa'), exponent, modulus]),
        bend: () => list('rsa-sha2-512', ''),
      }),
    );
  const ones = (bits: number) =>
    mpint(
      Buffer.from(((1n << BigInt(bits)) - 1n).toString(16).padStart(2 * Math.ceil(bits / 8), '0'), 'hex'),
    );
  it('takes RSA of 2048 to 8192 bits as keys', () => {
    for (const bits of [2048, 8192])
      assert.throws(() => verify(rsaKey(mpint(e), ones(bits))), { code: 'SSH_BAD_SIGNATURE' });
  });
  itRefuses([
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
