import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, it } from 'mocha';
import { parseSshPrivateKey, SshError, type SshErrorCode } from '../../../../lib/attestation/ssh/index.ts';
import { list, mpint, str, u32 } from './forge.ts';

/** A file of `openssh-key-v1`, each of whose parts can be replaced. */
function keyFile(publicKey: Buffer, privateKey: Buffer, replaced: Partial<typeof FILE> = {}): string {
  const f = { ...FILE, ...replaced };
  const open = Buffer.concat([u32(f.checks[0]), u32(f.checks[1]), privateKey, str('root@host')]);
  const padding = f.padding ?? Buffer.from(COUNT.slice(0, -open.length & 7));
  const blob = Buffer.concat([
    Buffer.from(f.magic),
    list(f.cipher, f.kdf, f.kdfOptions),
    u32(f.count),
    list(publicKey, Buffer.concat([open, padding])),
    f.trailing,
  ]);
  const body = blob.toString('base64').replaceAll(/.{70}(?=.)/g, '$&\n');
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

const COUNT = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const FILE = {
  magic: 'openssh-key-v1\0',
  cipher: 'none',
  kdf: 'none',
  kdfOptions: '',
  count: 1,
  checks: [77, 77] as readonly [number, number],
  padding: undefined as Buffer | undefined,
  trailing: Buffer.alloc(0),
};

const pair = (key: KeyObject) => {
  const jwk = key.export({ format: 'jwk' }) as Record<string, string>;
  return (name: string) => Buffer.from(jwk[name]!, 'base64url');
};

const [ed, otherEd] = [0, 1].map(() => pair(generateKeyPairSync('ed25519').privateKey)) as [Part, Part];
const [ec, otherEc] = [0, 1].map(() =>
  pair(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
) as [Part, Part];
const [rsa, otherRsa] = [0, 1].map(() =>
  pair(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
) as [Part, Part];
type Part = (name: string) => Buffer;

const edPublic = (key = ed) => list('ssh-ed25519', key('x'));
const edPrivate = (key = ed) => list('ssh-ed25519', key('x'), Buffer.concat([key('d'), key('x')]));
const point = (key: Part) => Buffer.concat([Buffer.of(4), key('x'), key('y')]);
const ecFields = (key: Part) => list('ecdsa-sha2-nistp256', 'nistp256', point(key));
const ecPrivate = (key: Part, d = key) => Buffer.concat([ecFields(key), mpint(d('d'))]);
const rsaPublic = (key = rsa) => Buffer.concat([str('ssh-rsa'), mpint(key('e')), mpint(key('n'))]);
const rsaPrivate = (parts: Record<string, Buffer> = {}, key = rsa) =>
  Buffer.concat([
    str('ssh-rsa'),
    ...['n', 'e', 'd', 'qi', 'p', 'q'].map((name) => mpint(parts[name] ?? key(name))),
  ]);

/** What no error may hold: any eight bytes of a private number, as text of any common kind. */
function assertTellsNothing(error: unknown): void {
  const told = inspect(error, { depth: null, showHidden: true });
  for (const key of [ed, ec, rsa]) {
    for (let at = 0; at + 8 <= key('d').length; at++) {
      const bytes = key('d').subarray(at, at + 8);
      for (const kind of ['hex', 'latin1'] as const) assert.ok(!told.includes(bytes.toString(kind)));
      assert.ok(!told.includes(bytes.toString('base64').slice(0, 10)));
    }
  }
}

describe('SSH private key: what the forge makes is good until a part is replaced', () => {
  for (const [type, make] of [
    ['ssh-ed25519', () => keyFile(edPublic(), edPrivate())],
    ['ecdsa-sha2-nistp256', () => keyFile(ecFields(ec), ecPrivate(ec))],
    ['ssh-rsa', () => keyFile(rsaPublic(), rsaPrivate())],
  ] as const) {
    it(`reads ${type}, and shows nothing of it`, () => {
      const signer = parseSshPrivateKey(make());
      assert.equal(signer.keyType, type);
      assertTellsNothing(signer);
    });
  }
  it('reads one with carriage returns and blank lines around it', () => {
    const text = `\r\n${keyFile(edPublic(), edPrivate()).replaceAll('\n', '\r\n')}\r\n`;
    assert.equal(parseSshPrivateKey(text).keyType, 'ssh-ed25519');
  });
});

describe('SSH private key: refusals', () => {
  const padBytes = -(8 + edPrivate().length + str('root@host').length) & 7;
  const damaged = (replaced: Partial<typeof FILE>) => () => keyFile(edPublic(), edPrivate(), replaced);
  const pem = (key: { privateKey: KeyObject }) =>
    key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const flipped = (name: string) => {
    const bytes = Buffer.from(rsa(name));
    bytes[40]! ^= 4;
    return { [name]: bytes };
  };
  const cases: readonly (readonly [string, SshErrorCode, () => string])[] = [
    ['nothing', 'SSH_MALFORMED', () => ''],
    ['text', 'SSH_MALFORMED', () => 'hunter2'],
    ['over 64 KiB', 'SSH_MALFORMED', () => 'x'.repeat(64 * 1024 + 1)],
    [
      'PEM and 64 KiB more',
      'SSH_MALFORMED',
      () => pem(generateKeyPairSync('ed25519')) + 'x'.repeat(64 * 1024),
    ],
    ['another preamble', 'SSH_MALFORMED', damaged({ magic: 'openssh-key-v2\0' })],
    ['a cipher', 'SSH_KEY_ENCRYPTED', damaged({ cipher: 'aes256-ctr' })],
    ['a key derivation', 'SSH_KEY_ENCRYPTED', damaged({ kdf: 'bcrypt' })],
    ['options for none', 'SSH_MALFORMED', damaged({ kdfOptions: 'x' })],
    ['two keys', 'SSH_MALFORMED', damaged({ count: 2 })],
    ['no key', 'SSH_MALFORMED', damaged({ count: 0 })],
    ['two checks', 'SSH_MALFORMED', damaged({ checks: [77, 78] })],
    ['wrong padding', 'SSH_MALFORMED', damaged({ padding: Buffer.alloc(padBytes, 1) })],
    ['too much padding', 'SSH_MALFORMED', damaged({ padding: Buffer.from(COUNT.slice(0, padBytes + 8)) })],
    ['no whole block', 'SSH_MALFORMED', damaged({ padding: Buffer.of(1) })],
    ['bytes after its end', 'SSH_MALFORMED', damaged({ trailing: Buffer.of(0) })],
    ['the public half of another', 'SSH_KEY_MISMATCH', () => keyFile(edPublic(otherEd), edPrivate())],
    [
      'the public half of another inside',
      'SSH_MALFORMED',
      () => keyFile(edPublic(), list('ssh-ed25519', ed('x'), Buffer.concat([ed('d'), otherEd('x')]))),
    ],
    [
      'an Ed25519 pair too short',
      'SSH_MALFORMED',
      () => keyFile(edPublic(), list('ssh-ed25519', ed('x'), ed('d'))),
    ],
    [
      'an unknown type inside',
      'SSH_MALFORMED',
      () => keyFile(edPublic(), list('ssh-ed25518', ed('x'), Buffer.concat([ed('d'), ed('x')]))),
    ],
    ['the private half of another type', 'SSH_MALFORMED', () => keyFile(edPublic(), ecPrivate(ec))],
    ["ECDSA with another's number", 'SSH_MALFORMED', () => keyFile(ecFields(ec), ecPrivate(ec, otherEc))],
    ["ECDSA with another's public half", 'SSH_KEY_MISMATCH', () => keyFile(ecFields(otherEc), ecPrivate(ec))],
    [
      "RSA with another's exponent",
      'SSH_KEY_MISMATCH',
      () => keyFile(rsaPublic(), rsaPrivate({ d: otherRsa('d') })),
    ],
    ['RSA with a prime one bit off', 'SSH_MALFORMED', () => keyFile(rsaPublic(), rsaPrivate(flipped('p')))],
    ["RSA with another's public half", 'SSH_KEY_MISMATCH', () => keyFile(rsaPublic(otherRsa), rsaPrivate())],
    ['RSA with a prime of 1', 'SSH_MALFORMED', () => keyFile(rsaPublic(), rsaPrivate({ p: Buffer.of(1) }))],
    ['PKCS#8 of Ed448', 'SSH_UNSUPPORTED', () => pem(generateKeyPairSync('ed448'))],
    ['PKCS#8 of X25519', 'SSH_UNSUPPORTED', () => pem(generateKeyPairSync('x25519'))],
    [
      'PKCS#8 of RSA-PSS',
      'SSH_UNSUPPORTED',
      () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 })),
    ],
    [
      'PKCS#8 of secp256k1',
      'SSH_UNSUPPORTED',
      () => pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })),
    ],
    [
      'PKCS#8 of DSA',
      'SSH_UNSUPPORTED',
      () => pem(generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 })),
    ],
    [
      'PKCS#8 of RSA of 1024 bits',
      'SSH_WEAK_KEY',
      () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 })),
    ],
    [
      'PKCS#8 cut short',
      'SSH_MALFORMED',
      () => pem(generateKeyPairSync('ed25519')).replace(/.{9}\n-----END/, '\n-----END'),
    ],
    [
      "SEC 1 with another's public half",
      'SSH_KEY_MISMATCH',
      () => {
        const der = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
          type: 'sec1',
          format: 'der',
        });
        point(ec).copy(der, der.length - 65);
        return `-----BEGIN EC PRIVATE KEY-----\n${der.toString('base64')}\n-----END EC PRIVATE KEY-----\n`;
      },
    ],
    [
      'a public key',
      'SSH_MALFORMED',
      () => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string,
    ],
  ];
  for (const [what, code, make] of cases) {
    it(`${what}: ${code}, telling nothing of the key`, () => {
      assert.throws(
        () => parseSshPrivateKey(make()),
        (error) => {
          assert.ok(error instanceof SshError, String(error));
          assert.equal(error.code, code, error.message);
          assert.equal(error.cause, undefined);
          assertTellsNothing(error);
          return true;
        },
      );
    });
  }
});
