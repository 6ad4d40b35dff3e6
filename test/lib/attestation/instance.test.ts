import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Instance, judgeRenewal, parseInstance, type Renewal } from '../../../lib/attestation/index.ts';
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
const first: Instance = { ...base, generation: 1, next_key: '' };

describe('judgeRenewal', () => {
  // `aa` was announced with the last renewal; `old` is the key before it.
  const rows: [string, Instance, Renewal, string][] = [
    ['the announced key, in order', base, { generation: 5, key: 'aa', nextKey: 'bb' }, 'advance'],
    ['the announced key, an old number', base, { generation: 4, key: 'aa', nextKey: 'bb' }, 'clone'],
    [
      'the announced key, a number from the future',
      base,
      { generation: 6, key: 'aa', nextKey: 'bb' },
      'clone',
    ],
    [
      'the key before, the same next key: the answer was lost',
      base,
      { generation: 4, key: 'old', nextKey: 'aa' },
      'repeat',
    ],
    [
      'the key before, the new number, the same next key: the grant came to nothing',
      base,
      { generation: 5, key: 'old', nextKey: 'aa' },
      'repeat',
    ],
    [
      'the key before and another next key: a copy',
      base,
      { generation: 4, key: 'old', nextKey: 'bb' },
      'clone',
    ],
    ['a copy that guesses the number', base, { generation: 5, key: 'old', nextKey: 'bb' }, 'clone'],
    [
      'a much older number, even with the right next key',
      base,
      { generation: 3, key: 'old', nextKey: 'aa' },
      'clone',
    ],
    ['the first renewal, with whatever key', first, { generation: 1, key: 'zz', nextKey: 'aa' }, 'advance'],
    ['zero before any renewal', first, { generation: 0, key: 'zz', nextKey: '' }, 'clone'],
    [
      'a locked instance, in order',
      { ...base, locked: true },
      { generation: 5, key: 'aa', nextKey: 'bb' },
      'locked',
    ],
  ];
  for (const [what, instance, asked, want] of rows) {
    it(`${what}: ${want}`, () => assert.equal(judgeRenewal(instance, asked).kind, want));
  }

  it('an accepted renewal moves on by one and remembers the next key', () => {
    const verdict = judgeRenewal(base, { generation: 5, key: 'aa', nextKey: 'bb' });
    assert.deepEqual(verdict.kind === 'advance' && verdict.instance, {
      ...base,
      generation: 6,
      next_key: 'bb',
    });
  });

  it('a repeated renewal changes nothing', () => {
    const verdict = judgeRenewal(base, { generation: 4, key: 'old', nextKey: 'aa' });
    assert.deepEqual(verdict.kind === 'repeat' && verdict.instance, base);
  });

  it('a clone locks the instance, so that neither holder goes on', () => {
    const verdict = judgeRenewal(base, { generation: 1, key: 'old', nextKey: 'x' });
    assert.ok(verdict.kind === 'clone' && verdict.instance.locked);
    assert.equal(judgeRenewal(verdict.instance, { generation: 5, key: 'aa', nextKey: 'bb' }).kind, 'locked');
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
    ['a join that is a number', { ...base, join: 7 }],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => parseInstance(value), InputError));
  }
});
