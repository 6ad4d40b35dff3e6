import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { formatJoinCode, parseJoinCode } from '../../../lib/attestation/index.ts';
import { InputError } from '../../../lib/errors.ts';
import { Secret } from '../../../lib/secret.ts';

const code = formatJoinCode({
  entry: 'acme/shop/orders',
  id: 'j-1',
  wrappingToken: new Secret('hvs.CAESI-abc_1'),
});

describe('join code', () => {
  it('comes back as it was', () => {
    const parsed = parseJoinCode(code);
    assert.deepEqual(
      [parsed.entry, parsed.id, parsed.wrappingToken.reveal()],
      ['acme/shop/orders', 'j-1', 'hvs.CAESI-abc_1'],
    );
  });
  it('says when it ends, to the second', () => {
    const ending = formatJoinCode({
      entry: 'acme/shop/orders',
      id: 'j-1',
      expiresAt: new Date('2026-01-02T03:04:05.678Z'),
      wrappingToken: new Secret('hvs.x'),
    });
    assert.equal(parseJoinCode(ending).expiresAt?.toISOString(), '2026-01-02T03:04:05.000Z');
    assert.equal(parseJoinCode(code).expiresAt, undefined);
  });
  it('does not show its token when printed', () => {
    assert.ok(!inspect(parseJoinCode(code)).includes('hvs.'));
    assert.ok(!JSON.stringify(parseJoinCode(code)).includes('hvs.'));
  });
  const claims = (value: unknown) => `sj1.${Buffer.from(JSON.stringify(value)).toString('base64url')}.hvs.x`;
  for (const [what, text] of [
    ['nothing', ''],
    ['another version', code.replace('sj1', 'sj2')],
    ['no token', code.slice(0, code.indexOf('.', 4))],
    ['a token with a line break', `${code}\n`],
    ['claims that are no JSON', 'sj1.AAAA.hvs.x'],
    ['claims that are null', claims(null)],
    ['an entry that is none', claims({ e: 'orders', j: 'j-1' })],
    ['an entry that climbs', claims({ e: '../../orders', j: 'j-1' })],
    ['an id that climbs', claims({ e: 'acme/orders', j: '../x' })],
    ['an end that is no number', claims({ e: 'acme/orders', j: 'j-1', x: '5' })],
    ['an end that no date can hold', claims({ e: 'acme/orders', j: 'j-1', x: 8_640_000_000_001 })],
  ] as const) {
    it(`refuses ${what}, quoting nothing of it`, () => {
      assert.throws(
        () => parseJoinCode(text),
        (e) => e instanceof InputError && !e.message.includes('hvs.'),
      );
    });
  }
  it('rubbish gives an InputError and nothing else (seeded)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          parseJoinCode(`sj1.${text}`);
          return true;
        } catch (error) {
          return error instanceof InputError;
        }
      }),
      { seed: 5, numRuns: 2000 },
    );
  });
});
