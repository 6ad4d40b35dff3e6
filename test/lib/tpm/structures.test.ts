import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'mocha';
import { makeCredential } from '../../../broker/tpm/credential.ts';
import {
  ALG,
  hasAttributes,
  readPublic,
  readQuote,
  sized,
  TpmError,
  u8,
  u16,
  u32,
  verifyTpmSignature,
} from '../../../lib/tpm/index.ts';
import { seededRandom } from '../../support/der.ts';

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const bytesOf = (text: string | undefined) => Buffer.from(String(text), 'base64url');

type Parts = { type?: number; hash?: number; symmetric?: Buffer; scheme?: Buffer; rest?: Buffer };
const point = () => {
  const { x, y } = ec.publicKey.export({ format: 'jwk' });
  return [sized(bytesOf(x)), sized(bytesOf(y))];
};
const eccRest = () => Buffer.concat([u16(3), u16(ALG.null), ...point()]);
const rsaRest = () =>
  Buffer.concat([u16(2048), u32(0), sized(bytesOf(rsa.publicKey.export({ format: 'jwk' }).n))]);
const none = u16(ALG.null);
const ecdsa = Buffer.concat([u16(ALG.ecdsa), u16(ALG.sha256)]);
const aes = Buffer.concat([u16(ALG.aes), u16(128), u16(ALG.cfb)]);
const publicBytes = ({
  type = ALG.ecc,
  hash = ALG.sha256,
  symmetric = none,
  scheme = ecdsa,
  rest = eccRest(),
}: Parts = {}) => Buffer.concat([u16(type), u16(hash), u32(0x50472), sized(), symmetric, scheme, rest]);
const rsaBytes = () => publicBytes({ type: ALG.rsa, symmetric: aes, scheme: none, rest: rsaRest() });

const quoteBytes = (extra = Buffer.alloc(32, 7), { magic = 0xff544347, type = 0x8018 } = {}) =>
  Buffer.concat([
    ...[u32(magic), u16(type), sized(Buffer.alloc(34)), sized(extra)],
    ...[Buffer.alloc(16), u8(1), Buffer.alloc(8)],
    ...[u32(1), u16(ALG.sha256), u8(3), Buffer.alloc(3), sized(Buffer.alloc(32))],
  ]);
const signatureOf = (signed: Buffer) => {
  const raw = sign('sha256', signed, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([ecdsa, sized(raw.subarray(0, 32)), sized(raw.subarray(32))]);
};

describe('what a TPM says', () => {
  it('of a key gives the key, its name and what it may do', () => {
    const bytes = publicBytes();
    const read = readPublic(bytes);
    assert.ok(read.key.equals(ec.publicKey));
    assert.deepEqual([read.type, read.ecdsa, read.encrypts], ['ecc', true, false]);
    assert.deepEqual(read.nameOfKey, Buffer.concat([u16(0x0b), createHash('sha256').update(bytes).digest()]));
    assert.ok(hasAttributes(read, ['restricted', 'sign', 'fixedTpm'], ['decrypt']));
    assert.ok(!hasAttributes(read, ['decrypt'], []) && !hasAttributes(read, [], ['sign']));
    const other = readPublic(rsaBytes());
    assert.ok(other.key.equals(rsa.publicKey));
    assert.deepEqual([other.type, other.ecdsa, other.encrypts], ['rsa', false, true]);
  });
  const wrong: [string, Buffer][] = [
    ['of another type', publicBytes({ type: 8 })],
    ['named by SHA-1', publicBytes({ hash: 4 })],
    [
      'with another cipher',
      publicBytes({ symmetric: Buffer.concat([u16(ALG.aes), u16(256), u16(ALG.cfb)]) }),
    ],
    ['with another scheme', publicBytes({ scheme: Buffer.concat([u16(0x1a), u16(ALG.sha256)]) })],
    ['on another curve', publicBytes({ rest: Buffer.concat([u16(4), none, ...point()]) })],
    [
      'off its curve',
      publicBytes({
        rest: Buffer.concat([u16(3), none, sized(Buffer.alloc(32, 1)), sized(Buffer.alloc(32, 1))]),
      }),
    ],
    [
      'of RSA with another size',
      publicBytes({ type: ALG.rsa, rest: Buffer.concat([u16(1024), u32(0), sized(Buffer.alloc(128, 255))]) }),
    ],
    [
      'of RSA with the exponent 3',
      publicBytes({ type: ALG.rsa, rest: Buffer.concat([u16(2048), u32(3), rsaRest().subarray(6)]) }),
    ],
    [
      'of RSA with an even modulus',
      publicBytes({ type: ALG.rsa, rest: Buffer.concat([u16(2048), u32(0), sized(Buffer.alloc(256, 254))]) }),
    ],
    ['with bytes after its end', Buffer.concat([publicBytes(), u8(0)])],
    ['that is too long', Buffer.concat([publicBytes(), Buffer.alloc(1024)])],
  ];
  for (const [what, bytes] of wrong)
    it(`of a key ${what} is refused`, () => {
      assert.throws(() => readPublic(bytes), TpmError);
    });
  it('in a quote gives what it was asked to sign', () => {
    assert.deepEqual(readQuote(quoteBytes()).extraData, Buffer.alloc(32, 7));
    for (const other of [{ magic: 0xff544346 }, { type: 0x8017 }])
      assert.throws(() => readQuote(quoteBytes(undefined, other)), TpmError);
    assert.throws(() => readQuote(Buffer.concat([quoteBytes(), u8(0)])), TpmError);
  });
  it('is signed by its key, or not', () => {
    const quote = quoteBytes();
    const signature = signatureOf(quote);
    assert.ok(verifyTpmSignature(signature, quote, ec.publicKey));
    assert.ok(!verifyTpmSignature(signature, quoteBytes(Buffer.alloc(32)), ec.publicKey));
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    assert.ok(!verifyTpmSignature(signature, quote, publicKey));
    assert.throws(() => verifyTpmSignature(signature.subarray(1), quote, ec.publicKey), TpmError);
  });
  it('is read or refused, whatever its bytes are', () => {
    const random = seededRandom(23);
    const quote = quoteBytes();
    const readers: [Buffer, (bytes: Buffer) => unknown][] = [
      [publicBytes(), readPublic],
      [rsaBytes(), readPublic],
      [quote, readQuote],
      [signatureOf(quote), (bytes) => verifyTpmSignature(bytes, quote, ec.publicKey)],
    ];
    for (const [whole, read] of readers) {
      const seen = { read: 0, refused: 0 };
      for (let i = 0; i < 5_000; i++) {
        const bytes = Buffer.from(whole);
        for (let n = 0; n <= i % 3; n++)
          bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
        const cut = i % 4 === 0 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
        try {
          read(cut);
          seen.read++;
        } catch (error) {
          assert.ok(error instanceof TpmError, String(error));
          seen.refused++;
        }
      }
      assert.ok(seen.read > 10 && seen.refused > 1_000, JSON.stringify(seen));
    }
  });
  it('is answered with a credential that differs each time', () => {
    for (const ek of [readPublic(rsaBytes()), readPublic(publicBytes({ symmetric: aes, scheme: none }))]) {
      const [name, secret] = [Buffer.alloc(34, 1), Buffer.alloc(32, 2)];
      const [one, two] = [makeCredential(ek, name, secret), makeCredential(ek, name, secret)];
      assert.notDeepEqual(one.blob, two.blob);
      assert.notDeepEqual(one.secret, two.secret);
      // a MAC, and the secret with its length
      assert.deepEqual([one.blob.length, one.secret.length], [2 + 32 + 2 + 32, ek.type === 'rsa' ? 256 : 68]);
    }
  });
});
