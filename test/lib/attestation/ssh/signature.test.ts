import { describe } from 'mocha';
import { armor, ecdsa, ed25519, list, mpint, rsa, sshsig, str } from './forge.ts';
import { itRefuses, MESSAGE } from './judged.ts';

const key = ed25519();
const strong = rsa(2048);

describe('SSH signature: the signature in it', () => {
  const bent = (bend: (signature: Buffer) => Buffer, maker = key) => armor(sshsig(maker, MESSAGE, { bend }));
  const numbers = (join: (r: Buffer, s: Buffer) => Buffer) => armor(sshsig(ecdsa(join), MESSAGE));
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
  itRefuses([
    ['none', 'SSH_MALFORMED', () => bent(() => Buffer.alloc(0))],
    ['an empty one', 'SSH_BAD_SIGNATURE', () => bent(() => list('ssh-ed25519', ''))],
    ['bytes after it', 'SSH_MALFORMED', () => bent((s) => Buffer.concat([s, Buffer.of(0)]))],
    [
      'an algorithm not its key’s',
      'SSH_UNSUPPORTED',
      () => bent((s) => list('rsa-sha2-512', s.subarray(-64))),
    ],
    ['an inherited name as algorithm', 'SSH_UNSUPPORTED', () => bent((s) => list('constructor', s), strong)],
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
