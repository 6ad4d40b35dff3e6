import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isBaggage, isCorrelationId } from '../../../lib/telemetry/index.ts';

describe('telemetry: baggage', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`).join(',');
  const judged: [lines: string[], good: boolean, why: string][] = [
    [['userId=alice'], true, 'one member'],
    [['a=1,b=2', 'c=3'], true, 'several, in two lines'],
    [['a = 1 ; p = 2 ; q , b=2'], true, 'properties, and space where it may be'],
    [['a='], true, 'an empty value'],
    [['a=%20b%25/?:@'], true, 'what is escaped, and what need not be'],
    [['a=b=c'], true, 'a value with an equals sign'],
    [[many(64)], true, '64 members'],
    [[many(65)], false, '65 members'],
    [[`a=${'v'.repeat(8_190)}`], true, '8192 bytes'],
    [[`a=${'v'.repeat(8_191)}`], false, '8193 bytes'],
    [['a'], false, 'a member without a value'],
    [['a=1,'], false, 'an empty member'],
    [['a b=1'], false, 'a key with a space'],
    [['a="1"'], false, 'a value in quotes'],
    [['a=1 2'], false, 'a value with a space'],
    [['a=\\'], false, 'a backslash'],
    [['a=\xe4'], false, 'what is not ASCII'],
    [['a=1;'], false, 'an empty property'],
    [[''], false, 'an empty line'],
  ];
  for (const [lines, good, why] of judged)
    it(`${good ? 'passes' : 'stops'} ${why}`, () => assert.equal(isBaggage(lines), good));

  it('judges any text at once, however long', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 9_000 }), (text) => void isBaggage([text])));
    for (const text of ['=;'.repeat(4_000), `${' '.repeat(8_000)}=`, `a=${' '.repeat(8_000)}\x00`])
      isBaggage([text]);
  });
  it('takes no longer for blanks within a text than for other letters', () => {
    const began = performance.now();
    for (let i = 0; i < 20; i++) assert.equal(isBaggage([`a=${' '.repeat(8_000)}x y`]), false);
    const took = performance.now() - began;
    assert.ok(took < 500, `${took} ms for twenty`);
  });
});

describe('telemetry: correlation ids', () => {
  for (const id of [
    '0af7651916cd43dd8448eb211c80319c',
    '3b241101-e2bb-4255-8caf-4136c566a962',
    'req_12345',
    'a'.repeat(64),
  ])
    it(`takes ${id.slice(0, 40)}`, () => assert.equal(isCorrelationId(id), true));
  for (const id of [
    '',
    'short',
    'a'.repeat(65),
    'with space',
    'a"b"c"d"e',
    'line\nline-line',
    'eyJhbGciOiJFUzI1NiJ9.e30.c2ln',
    'hvs.CAESIJlU02LQZq',
  ])
    it(`takes no ${JSON.stringify(id).slice(0, 40)}`, () => assert.equal(isCorrelationId(id), false));
});
