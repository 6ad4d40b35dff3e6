import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  parseSshPrivateKey,
  parseSshPublicKey,
  SshError,
  verifySshSignature,
} from '../../../../lib/attestation/ssh/index.ts';
import { armor, list, u32 } from './forge.ts';
import { SshKeygen } from './ssh-keygen.ts';
import { readVectors } from './vectors.ts';

const RUNS = { seed: 20261122, numRuns: 1500 } as const;

const corpus = readVectors().filter((vector) => 'identity' in vector);
const named = (name: string) => corpus.find((vector) => vector.name === name)!;

/** Whether it was accepted. Anything thrown but an SshError, or after more than five seconds, fails the test. */
function accepts(run: () => unknown): boolean {
  const start = performance.now();
  try {
    run();
    return true;
  } catch (error) {
    assert.ok(error instanceof SshError, String(error));
    return false;
  } finally {
    assert.ok(performance.now() - start < 5000, 'took too long');
  }
}

function verifies(armored: string, { message, now } = corpus[0]!): boolean {
  const input = { armored, message: Buffer.from(message), now: new Date(now) };
  return accepts(() => verifySshSignature({ ...input, namespace: 'signet-attest-v1' }));
}

function blobOf(armored: string): Buffer {
  return Buffer.from(armored.split('\n').slice(1, -2).join(''), 'base64');
}

describe('SSH signature: nothing but the signature verifies', () => {
  for (const name of [
    'ed25519',
    'ed25519 certified by ed25519',
    'ecdsa-256',
    'ecdsa-256 certified by rsa-2048',
    'rsa-2048 certified by ecdsa-384',
  ]) {
    const blob = blobOf(named(name).armored);
    const at = [...blob.keys()];
    const cases: readonly (readonly [string, (i: number) => Buffer])[] = [
      [
        'a bit flipped',
        (i) => Buffer.from(blob.map((byte, j) => (j === i ? byte ^ (1 << ((i * 5) % 8)) : byte))),
      ],
      ['a byte dropped', (i) => Buffer.concat([blob.subarray(0, i), blob.subarray(i + 1)])],
      ['a byte put in', (i) => Buffer.concat([blob.subarray(0, i), Buffer.of(i % 256), blob.subarray(i)])],
      ['its end cut off', (i) => blob.subarray(0, i)],
    ];
    for (const [what, bend] of cases) {
      it(`${name}, with ${what} anywhere`, () => {
        assert.ok(verifies(armor(blob)), 'the whole one is good');
        assert.deepEqual(
          at.filter((i) => verifies(armor(bend(i)))),
          [],
        );
      });
    }
  }

  it('whatever is done to its text', () => {
    const edit = fc.record({
      vector: fc.constantFrom(...corpus),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      drop: fc.nat(3),
      put: fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('\n', '\r\n', '=', '-', ' ', 'A', '\0')),
    });
    fc.assert(
      fc.property(edit, ({ vector, at, drop, put }) => {
        const { armored } = vector;
        const start = Math.floor(at * armored.length);
        const edited = armored.slice(0, start) + put + armored.slice(start + drop);
        if (verifies(edited)) assert.deepEqual(blobOf(`${edited.trimEnd()}\n`), blobOf(armored));
      }),
      RUNS,
    );
  });

  it('whatever two of them are spliced together', () => {
    const cut = fc.double({ min: 0, max: 1, noNaN: true });
    const pick = fc.constantFrom(...corpus);
    fc.assert(
      fc.property(pick, pick, cut, cut, (left, right, leftCut, rightCut) => {
        const [a, b] = [blobOf(left.armored), blobOf(right.armored)];
        const spliced = Buffer.concat([a.subarray(0, leftCut * a.length), b.subarray(rightCut * b.length)]);
        assert.equal(verifies(armor(spliced)), spliced.equals(a) || spliced.equals(b));
      }),
      RUNS,
    );
  });
});

describe('SSH parsers: any text ends in an SshError', () => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
  const types = fc.constantFrom(
    ...['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp521'].flatMap((type) => [
      type,
      `${type}-cert-v01@openssh.com`,
    ]),
  );
  /** Strings in strings with lengths that may lie: what gets a parser deep. */
  const wire = fc
    .array(
      fc.oneof(
        bytes(80).map((value) => list(value)),
        fc.nat().map(u32),
        bytes(12),
        fc.constantFrom(list('nistp256'), list('nistp521')),
      ),
      { maxLength: 16 },
    )
    .map((parts) => Buffer.concat(parts));
  const keyBlob = fc.tuple(types, wire).map(([type, rest]) => Buffer.concat([list(type), rest]));

  it('as a signature: text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (text) => !verifies(text)),
      RUNS,
    );
  });
  it('as a signature: armoured bytes', () => {
    fc.assert(
      fc.property(bytes(400), (blob) => !verifies(armor(blob))),
      RUNS,
    );
  });
  it('as a signature: fields of any content', () => {
    fc.assert(
      fc.property(keyBlob, wire, (key, signature) => {
        const fields = list(key, 'signet-attest-v1', '', 'sha512', signature);
        return !verifies(armor(Buffer.concat([Buffer.from('SSHSIG'), u32(1), fields])));
      }),
      RUNS,
    );
  });
  it('as a public key line', () => {
    const line = fc.tuple(types, keyBlob).map(([type, blob]) => `${type} ${blob.toString('base64')}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), line), (text) => {
        accepts(() => parseSshPublicKey(text));
      }),
      RUNS,
    );
  });

  it('as a private key: a damaged one is refused or is still the same key', () => {
    const tool = new SshKeygen();
    const kinds = ['ed25519', 'ecdsa', 'rsa'];
    for (const kind of kinds) tool.key(kind, ['-t', kind]);
    const keys = kinds.map((kind) => tool.read(kind));
    tool.remove();
    const edit = fc.record({
      key: fc.constantFrom(...keys),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      put: fc.string({ maxLength: 2 }),
    });
    fc.assert(
      fc.property(edit, ({ key, at, put }) => {
        const start = Math.floor(at * key.length);
        const text = key.slice(0, start) + put + key.slice(start + put.length);
        accepts(() =>
          assert.equal(parseSshPrivateKey(text).fingerprint, parseSshPrivateKey(key).fingerprint),
        );
      }),
      { ...RUNS, numRuns: 600 },
    );
  });
});
