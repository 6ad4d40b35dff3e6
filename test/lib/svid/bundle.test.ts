import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import {
  type Bundle,
  bundleToJwks,
  bundleToPem,
  newerBundle,
  parseBundle,
  pemToDer,
  SvidError,
  type SvidErrorCode,
} from '../../../lib/svid/index.ts';
import { createCa, type TestCa, type TestCertificate } from '../../support/ca.ts';
import { seededRandom } from '../../support/der.ts';

const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64');

describe('bundle', () => {
  let ca: TestCa;
  let leaf: TestCertificate;
  before(async () => {
    ca = await createCa();
    leaf = await ca.leaf('spiffe://example.org/a');
  });
  const bundle = (changes: Partial<Bundle> = {}): Bundle => ({
    trustDomain: 'example.org',
    sequence: 7,
    refreshHintSeconds: 300,
    authorities: [Buffer.from(ca.der)],
    ...changes,
  });

  it('goes out as a SPIFFE JWKS and comes back the same', () => {
    const jwks = JSON.parse(JSON.stringify(bundleToJwks(bundle())));
    assert.deepEqual(Object.keys(jwks), ['spiffe_sequence', 'spiffe_refresh_hint', 'keys']);
    const [{ use, x5c, ...jwk }] = jwks.keys;
    assert.deepEqual([use, x5c], ['x509-svid', [base64(ca.der)]]);
    assert.deepEqual([jwk.kty, jwk.crv], ['EC', 'P-256']);
    assert.deepEqual(
      createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' }),
      ca.spkiDer,
    );
    assert.deepEqual(parseBundle('example.org', jwks), bundle());
  });

  it('leaves out the refresh hint when there is none, and reads it so', () => {
    const none = bundle({ refreshHintSeconds: null });
    assert.deepEqual(Object.keys(bundleToJwks(none)), ['spiffe_sequence', 'keys']);
    assert.deepEqual(parseBundle('example.org', bundleToJwks(none)), none);
  });

  it('gives PEM that reads back', () => {
    assert.deepEqual(bundleToPem(bundle()).flatMap(pemToDer).map(base64), [base64(ca.der)]);
  });

  it('passes over unknown members and other uses, and takes empty keys for no trust at all', () => {
    const other = { kty: 'EC', use: 'jwt-svid', kid: 'x' };
    const json = {
      spiffe_sequence: 1,
      x: 1,
      keys: [other, { kty: 'EC' }, { kty: 'X', use: 'x509-svid', x5c: [base64(ca.der)], z: 1 }],
    };
    assert.deepEqual(parseBundle('example.org', json).authorities.map(base64), [base64(ca.der)]);
    assert.deepEqual(
      parseBundle('example.org', { spiffe_sequence: 0, keys: Array(256).fill({}) }).authorities,
      [],
    );
    assert.deepEqual(parseBundle('example.org', { keys: [] }).authorities, []);
  });

  const refused: [string, () => unknown][] = [
    ['null', () => null],
    ['an array', () => []],
    ['no keys', () => ({ spiffe_sequence: 1 })],
    ['keys that are an object', () => ({ keys: {} })],
    ['a key that is a string', () => ({ keys: ['x'] })],
    ['an authority without a certificate', () => ({ keys: [{ use: 'x509-svid' }] })],
    [
      'an authority of two certificates',
      () => ({ keys: [{ use: 'x509-svid', x5c: [base64(ca.der), base64(ca.der)] }] }),
    ],
    ['a certificate that is a number', () => ({ keys: [{ use: 'x509-svid', x5c: [1] }] })],
    ['base64url', () => ({ keys: [{ use: 'x509-svid', x5c: [Buffer.from(ca.der).toString('base64url')] }] })],
    ['no certificate at all', () => ({ keys: [{ use: 'x509-svid', x5c: ['AAAA'] }] })],
    ['a certificate that is not a CA', () => ({ keys: [{ use: 'x509-svid', x5c: [base64(leaf.der)] }] })],
    ['a sequence of text', () => ({ spiffe_sequence: '1', keys: [] })],
    ['a negative sequence', () => ({ spiffe_sequence: -1, keys: [] })],
    ['a sequence too large to count', () => ({ spiffe_sequence: 2 ** 53, keys: [] })],
    ['a refresh hint of 1.5', () => ({ spiffe_refresh_hint: 1.5, keys: [] })],
    ['257 keys', () => ({ keys: Array.from({ length: 257 }, () => ({})) })],
  ];
  for (const [what, json] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseBundle('example.org', json()), {
        name: 'SvidError',
        code: 'BUNDLE_MALFORMED',
      });
    });
  }

  it('one bad authority refuses the whole, so that the last good bundle stays', () => {
    const good = { use: 'x509-svid', x5c: [base64(ca.der)] };
    assert.throws(() => parseBundle('example.org', { keys: [good, { use: 'x509-svid', x5c: [] }] }), {
      code: 'BUNDLE_MALFORMED',
    });
  });

  it('refuses with SvidError and nothing else: 5,000 damaged documents', () => {
    const sound = JSON.stringify(bundleToJwks(bundle()));
    const random = seededRandom(31);
    const values = [null, true, -1, 1e308, '', '__proto__', [], {}, [[]], { keys: [] }, 'x5c'];
    let refused = 0;
    for (let i = 0; i < 5_000; i++) {
      const document = JSON.parse(sound, (_, value) =>
        random() < 0.06 ? values[Math.floor(random() * values.length)] : value,
      );
      try {
        parseBundle('example.org', document);
      } catch (error) {
        assert.ok(error instanceof SvidError, `${error}`);
        refused += 1;
      }
    }
    assert.ok(refused > 500 && refused < 5_000, `${refused} refused`);
  });

  for (const [what, sequence, kept] of [
    ['a higher sequence replaces', 8, 'offered'],
    ['the same sequence changes nothing', 7, 'current'],
  ] as const) {
    it(`${what}`, () => {
      const [current, offered] = [bundle(), bundle({ sequence, authorities: [] })];
      assert.equal(newerBundle(current, offered), kept === 'offered' ? offered : current);
    });
  }

  for (const [what, offered, code] of [
    ['a lower sequence', { sequence: 6 }, 'BUNDLE_ROLLED_BACK'],
    ['another trust domain', { sequence: 8, trustDomain: 'example.com' }, 'SVID_WRONG_TRUST_DOMAIN'],
  ] as [string, Partial<Bundle>, SvidErrorCode][]) {
    it(`refuses ${what}`, () => {
      assert.throws(() => newerBundle(bundle(), bundle(offered)), { name: 'SvidError', code });
    });
  }
});
