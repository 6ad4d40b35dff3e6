import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import {
  AssertionError,
  makeTransaction,
  makeTxnToken,
  NO_ORIGIN,
  passedBy,
  readTransaction,
  signerOf,
  transactionHeader,
  verifyTxnToken,
} from '../../../lib/assertion/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { createCa } from '../../support/ca.ts';

const [web, orders] = ['web', 'orders'].map((name) => parseSpiffeId(`spiffe://example.org/${name}`)) as [
  never,
  never,
];
const now = new Date('2026-11-25T12:00:00Z');
const between = { issuer: web, audience: orders, now };
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const origin = passedBy(NO_ORIGIN, web, { id: 't-1', user: { iss: 'i', sub: 's' } });

/** What `verify` says of a text: whether it believes it. @throws what is no refusal */
function believes(verify: () => unknown): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    if (error instanceof AssertionError) return false;
    throw error;
  }
}

/** Texts near a sound one: a piece of it replaced. */
const near = (sound: string) =>
  fc
    .tuple(
      fc.nat(sound.length),
      fc.nat(40),
      fc.oneof(fc.base64String({ maxLength: 40 }), fc.string({ maxLength: 10 })),
    )
    .map(([at, length, piece]) => sound.slice(0, at) + piece + sound.slice(at + length));

describe('what strangers may show as a transaction', () => {
  it('is believed as it was made and in no other spelling', () => {
    const sound = makeTxnToken(origin, between, privateKey);
    assert.deepEqual(verifyTxnToken(sound, between, publicKey), origin);
    fc.assert(
      fc.property(near(sound), (text) => {
        assert.equal(
          believes(() => verifyTxnToken(text, between, publicKey)),
          text === sound,
        );
      }),
      { seed: 5, numRuns: 3_000 },
    );
  });

  it('is refused in an orderly way where it is anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.jsonValue(), (text, json) => {
        const part = Buffer.from(JSON.stringify(json)).toString('base64url');
        for (const each of [text, `${part}.${part}.${part}`])
          assert.equal(
            believes(() => verifyTxnToken(each, between, publicKey)),
            false,
          );
      }),
      { seed: 5, numRuns: 2_000 },
    );
  });

  it('is refused in an orderly way whatever certificates and claims it shows', async () => {
    const ca = await createCa();
    const leaf = await ca.leaf('spiffe://example.org/orders', { notAfter: new Date(Date.now() + 60_000) });
    const bundle = {
      trustDomain: 'example.org',
      sequence: 0,
      refreshHintSeconds: null,
      authorities: [ca.der],
    };
    const at = new Date();
    const shown = (header: string) =>
      signerOf(readTransaction(makeTransaction(header, origin, orders, at, privateKey)), orders, bundle, at);
    assert.deepEqual(shown(transactionHeader([leaf.der])).notAfter.getMilliseconds(), 0);
    fc.assert(
      fc.property(fc.nat(leaf.der.length - 1), fc.nat(255), (i, byte) => {
        const der = Uint8Array.from(leaf.der);
        der[i] = byte;
        assert.equal(
          believes(() => shown(transactionHeader([der]))),
          byte === leaf.der[i],
        );
      }),
      { seed: 5, numRuns: 1_500 },
    );
  });
});
