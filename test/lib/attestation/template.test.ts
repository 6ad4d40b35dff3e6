import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { aliasPattern, parseIdTemplate, renderId, selectors } from '../../../lib/attestation/index.ts';
import { isIdSegment, SpiffeError } from '../../../lib/spiffe/index.ts';

const template = parseIdTemplate('spiffe://example.org/ns/{k8s:ns}/sa/{k8s:sa}');

describe('renderId', () => {
  it('puts verified values into whole segments', () => {
    const id = renderId(template, selectors({ 'k8s:ns': 'shop', 'k8s:sa': 'orders' }));
    assert.equal(id.toString(), 'spiffe://example.org/ns/shop/sa/orders');
  });
  it('a selector key may hold a slash', () => {
    const annotated = parseIdTemplate('spiffe://example.org/ns/{k8s:label/app.example.org/name}');
    const id = renderId(annotated, selectors({ 'k8s:label/app.example.org/name': 'web' }));
    assert.equal(id.path, '/ns/web');
  });
  for (const value of [
    '*',
    'a*',
    '**',
    'a/b',
    '../x',
    '..',
    '.',
    'Shop',
    'a b',
    'a%2fb',
    'é',
    '',
    'a,b',
    'a?',
    '[ab]',
    '{x}',
  ]) {
    it(`refuses ${JSON.stringify(value)} from evidence`, () => {
      assert.throws(
        () => renderId(template, selectors({ 'k8s:ns': [value], 'k8s:sa': 'orders' })),
        SpiffeError,
      );
    });
  }
  it('refuses a missing value and one of several', () => {
    assert.throws(() => renderId(template, selectors({ 'k8s:ns': 'shop' })), SpiffeError);
    assert.throws(() => renderId(template, selectors({ 'k8s:ns': ['a', 'b'], 'k8s:sa': 'x' })), SpiffeError);
  });
  it('whatever evidence says, the ID has the template’s shape or there is none (seeded)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (value) => {
        try {
          const id = renderId(template, selectors({ 'k8s:ns': [value], 'k8s:sa': 'orders' }));
          return id.segments.length === 4 && id.segments[1] === value && isIdSegment(value);
        } catch (error) {
          return error instanceof SpiffeError;
        }
      }),
      { seed: 3, numRuns: 2000 },
    );
  });
});

describe('aliasPattern', () => {
  const rows: [Record<string, string>, string][] = [
    [{ 'k8s:ns': 'shop', 'k8s:sa': 'orders' }, 'ns/shop/sa/orders'],
    [{ 'k8s:ns': 'shop' }, 'ns/shop/sa/*'],
    [{}, 'ns/*/sa/*'],
  ];
  for (const [fixed, want] of rows)
    it(`pins ${want}`, () => assert.equal(aliasPattern(template, fixed), want));
  it('does not read inherited names as pins', () => {
    assert.equal(
      aliasPattern(parseIdTemplate('spiffe://example.org/ns/{k8s:ns}'), Object.create({ 'k8s:ns': 'x' })),
      'ns/*',
    );
  });
});
