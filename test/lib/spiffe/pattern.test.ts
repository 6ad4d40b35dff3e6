import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  isIdSegment,
  matchesPattern,
  parseIdPattern,
  parseSpiffeId,
  SpiffeError,
} from '../../../lib/spiffe/index.ts';
import { PATTERN_VECTORS } from './vectors.ts';

const SEEDED = { seed: 20261122, numRuns: 3000 } as const;

describe('ID pattern', () => {
  for (const vector of PATTERN_VECTORS) {
    if ('error' in vector) {
      it(`refuses ${vector.why}: ${JSON.stringify(vector.pattern)}`, () => {
        assert.throws(
          () => parseIdPattern(vector.pattern),
          (error) => error instanceof SpiffeError && error.code === vector.error,
        );
      });
      continue;
    }
    const pattern = parseIdPattern(vector.pattern);
    for (const id of vector.matches)
      it(`${vector.pattern} takes ${id}`, () =>
        assert.equal(matchesPattern(pattern, parseSpiffeId(id)), true));
    for (const id of vector.others)
      it(`${vector.pattern} leaves ${id}`, () =>
        assert.equal(matchesPattern(pattern, parseSpiffeId(id)), false));
  }

  const part = fc.constantFrom('a', 'b', 'ab', 'a.b', '...');
  const parts = (maxLength: number) => fc.array(part, { minLength: 1, maxLength });

  it('without a star takes just its own ID (seeded)', () => {
    fc.assert(
      fc.property(parts(3), parts(3), (wanted, found) => {
        const pattern = parseIdPattern(`spiffe://td/${wanted.join('/')}`);
        const id = parseSpiffeId(`spiffe://td/${found.join('/')}`);
        return matchesPattern(pattern, id) === (wanted.join('/') === found.join('/'));
      }),
      SEEDED,
    );
  });

  it('agrees with the glob it stands for (seeded)', () => {
    const starred = fc.tuple(
      fc.array(fc.oneof(part, fc.constant('*')), { maxLength: 3 }),
      fc.constantFrom('*', '**', 'a'),
    );
    fc.assert(
      fc.property(starred, parts(5), ([front, last], found) => {
        const text = [...front, last].join('/');
        const glob = text.replaceAll('.', '\\.').replace(/\*\*$/, '.+').replaceAll(/\*/g, '[^/]+');
        const id = parseSpiffeId(`spiffe://td/${found.join('/')}`);
        const want = new RegExp(`^${glob}$`).test(found.join('/'));
        assert.equal(matchesPattern(parseIdPattern(`spiffe://td/${text}`), id), want);
      }),
      SEEDED,
    );
  });

  it('any text gives a pattern or a SpiffeError (seeded)', () => {
    const letters = fc.string({
      unit: fc.constantFrom('a', '*', '/', '.', 'A', '\n', ':', 'é'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(letters, (tail) => {
        try {
          const { segments } = parseIdPattern(`spiffe://td/${tail}`);
          for (const segment of segments) assert.ok(segment === '*' || isIdSegment(segment));
        } catch (error) {
          assert.ok(error instanceof SpiffeError, String(error));
        }
      }),
      SEEDED,
    );
  });
});

describe('ID segment', () => {
  for (const value of ['a', '0', 'a.b', '...', '-', '_', 'a'.repeat(255)])
    it(`may be ${value.slice(0, 20)} of ${value.length}`, () => assert.equal(isIdSegment(value), true));
  for (const value of [
    '',
    '.',
    '..',
    '*',
    'a*',
    'a/b',
    'A',
    'a b',
    'a\n',
    'é',
    '\u212a',
    '%61',
    'a'.repeat(256),
  ])
    it(`may not be ${JSON.stringify(value.slice(0, 20))} of ${value.length}`, () =>
      assert.equal(isIdSegment(value), false));
});
