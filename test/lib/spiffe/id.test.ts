import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  isReserved,
  parseSpiffeId,
  parseTrustDomain,
  SpiffeError,
  SpiffeId,
} from '../../../lib/spiffe/index.ts';
import { ID_VECTORS } from './vectors.ts';

const shown = (text: string) => JSON.stringify(text);
const SEEDED = { seed: 20261122, numRuns: 3000 } as const;

describe('SPIFFE ID', () => {
  for (const vector of ID_VECTORS) {
    if ('error' in vector) {
      it(`refuses ${vector.why}: ${shown(vector.id)}`, () => {
        assert.throws(
          () => parseSpiffeId(vector.id),
          (error) => error instanceof SpiffeError && error.code === vector.error,
        );
      });
      continue;
    }
    it(`takes ${vector.id} and gives it back`, () => {
      const id = parseSpiffeId(vector.id);
      assert.equal(id.trustDomain, vector.trust_domain);
      assert.equal(id.path, vector.path);
      assert.deepEqual(id.segments, vector.path.slice(1).split('/'));
      assert.equal(id.toString(), vector.id);
      assert.equal(JSON.stringify({ id }), `{"id":"${vector.id}"}`);
    });
  }

  it('is at most 2048 bytes long', () => {
    const prefix = 'spiffe://example.org/';
    const id = (bytes: number) => prefix + 'a'.repeat(bytes - prefix.length);
    assert.equal(parseSpiffeId(id(2048)).toString().length, 2048);
    assert.throws(() => parseSpiffeId(id(2049)), { code: 'SPIFFE_TOO_LONG' });
  });

  it('is no longer when it is put together from segments', () => {
    const segments = new Array<string>(8).fill('a'.repeat(255));
    assert.throws(() => SpiffeId.of('example.org', segments), { code: 'SPIFFE_TOO_LONG' });
    assert.equal(SpiffeId.of('example.org', segments.slice(1)).segments.length, 7);
  });

  it('equals another by trust domain and path', () => {
    const id = parseSpiffeId('spiffe://example.org/a/b');
    for (const [other, same] of [
      ['spiffe://example.org/a/b', true],
      ['spiffe://example.org/a/c', false],
      ['spiffe://example.org/a', false],
      ['spiffe://example.com/a/b', false],
    ] as const)
      assert.equal(id.equals(parseSpiffeId(other)), same, other);
  });

  for (const [path, reserved] of [
    ['/signet/broker', true],
    ['/signet', true],
    ['/signet2/broker', false],
    ['/ns/signet', false],
  ] as const) {
    it(`${path} is ${reserved ? '' : 'not '}Signet's own`, () => {
      assert.equal(isReserved(parseSpiffeId(`spiffe://example.org${path}`)), reserved);
    });
  }

  it('shows no more than 80 characters of what it refuses', () => {
    assert.throws(
      () => parseSpiffeId(`spiffe://${'X'.repeat(1000)}/a`),
      (error: Error) => error.message.length < 200,
    );
  });
});

describe('trust domain', () => {
  for (const name of ['a', '0', '-', '_', '.', 'example.org', 'a'.repeat(255)]) {
    it(`takes ${shown(name.slice(0, 20))} of ${name.length}`, () =>
      assert.equal(parseTrustDomain(name), name));
  }
  for (const name of [
    '',
    'A',
    'a/',
    '/',
    'a b',
    'a:1',
    'a@b',
    'a%',
    'é',
    '*',
    'a\n',
    'spiffe://a',
    'a'.repeat(256),
  ]) {
    it(`refuses ${shown(name.slice(0, 20))} of ${name.length}`, () => {
      assert.throws(
        () => parseTrustDomain(name),
        (error) => error instanceof SpiffeError && error.code === 'SPIFFE_BAD_TRUST_DOMAIN',
      );
    });
  }
});

describe('SPIFFE ID (seeded)', () => {
  const trustDomain = fc.stringMatching(/^[a-z0-9._-]{1,60}$/);
  const segment = fc.stringMatching(/^[a-z0-9._-]{1,40}$/).filter((text) => text !== '.' && text !== '..');
  const text = fc
    .tuple(trustDomain, fc.array(segment, { minLength: 1, maxLength: 8 }))
    .map(([domain, segments]) => `spiffe://${domain}/${segments.join('/')}`);

  it('what is well formed comes back as it was', () => {
    fc.assert(
      fc.property(text, (id) => {
        const parsed = parseSpiffeId(id);
        assert.equal(parsed.toString(), id);
        assert.ok(parseSpiffeId(parsed.toString()).equals(parsed));
      }),
      SEEDED,
    );
  });

  it('any text gives its own ID or a SpiffeError', () => {
    const edited = fc
      .tuple(text, fc.nat(), fc.nat(3), fc.string({ unit: 'binary', maxLength: 3 }))
      .map(([id, at, drop, put]) => id.slice(0, at % id.length) + put + id.slice((at % id.length) + drop));
    fc.assert(
      fc.property(
        fc.oneof(
          edited,
          fc.string({ unit: 'binary' }).map((tail) => `spiffe://${tail}`),
        ),
        (id) => {
          try {
            assert.equal(parseSpiffeId(id).toString(), id);
            assert.match(id, /^spiffe:\/\/[a-z0-9._-]+(\/(?!\.{1,2}(\/|$))[a-z0-9._-]+)+$/);
          } catch (error) {
            assert.ok(error instanceof SpiffeError, String(error));
          }
        },
      ),
      SEEDED,
    );
  });
});
