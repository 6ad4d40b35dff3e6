import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Instance, judgeRenewal, parseInstance } from '../../../lib/attestation/index.ts';
import { InputError } from '../../../lib/errors.ts';

const base: Instance = {
  id: 'i-1',
  entry: 'acme/shop/orders',
  spiffe_id: 'spiffe://example.org/ns/shop/sa/orders',
  method: 'join',
  generation: 5,
  next_key: 'aa',
  locked: false,
};

describe('judgeRenewal', () => {
  const rows: [string, Instance, { generation: number; nextKey: string }, string][] = [
    ['the number in order', base, { generation: 5, nextKey: 'bb' }, 'advance'],
    [
      'the last one again with the same next key: a lost answer',
      base,
      { generation: 4, nextKey: 'aa' },
      'repeat',
    ],
    ['the last one again with another next key: a copy', base, { generation: 4, nextKey: 'bb' }, 'clone'],
    ['an old number, even with the right next key', base, { generation: 3, nextKey: 'aa' }, 'clone'],
    ['a number from the future', base, { generation: 6, nextKey: 'aa' }, 'clone'],
    [
      'zero before any renewal',
      { ...base, generation: 1, next_key: '' },
      { generation: 0, nextKey: '' },
      'clone',
    ],
    ['a locked instance, in order', { ...base, locked: true }, { generation: 5, nextKey: 'bb' }, 'locked'],
  ];
  for (const [what, instance, asked, want] of rows) {
    it(`${what}: ${want}`, () => assert.equal(judgeRenewal(instance, asked).kind, want));
  }

  it('an accepted renewal moves on by one and remembers the next key', () => {
    const verdict = judgeRenewal(base, { generation: 5, nextKey: 'bb' });
    assert.deepEqual(verdict.kind === 'advance' && verdict.instance, {
      ...base,
      generation: 6,
      next_key: 'bb',
    });
  });

  it('a clone locks the instance, so that neither holder goes on', () => {
    const verdict = judgeRenewal(base, { generation: 1, nextKey: 'x' });
    assert.ok(verdict.kind === 'clone' && verdict.instance.locked);
    assert.equal(judgeRenewal(verdict.instance, { generation: 5, nextKey: 'bb' }).kind, 'locked');
  });
});

describe('parseInstance', () => {
  it('reads back what was written', () =>
    assert.deepEqual(parseInstance(JSON.parse(JSON.stringify(base))), base));
  for (const [what, value] of [
    ['nothing', undefined],
    ['no lock', { ...base, locked: undefined }],
    ['a lock that is a word', { ...base, locked: 'false' }],
    ['a generation that is a string', { ...base, generation: '5' }],
    ['a generation of zero', { ...base, generation: 0 }],
    ['a fractional generation', { ...base, generation: 1.5 }],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => parseInstance(value), InputError));
  }
});
