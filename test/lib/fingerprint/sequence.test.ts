import assert from 'node:assert/strict';
import { GET, NOW, sides } from './sides.ts';

const MOST_MISSING = 1_024;

/** What one judge says of the proofs with these numbers, in this order. */
function taken(...numbers: readonly number[]): boolean[] {
  const { maker, judge } = sides('channel');
  const tokens = Array.from({ length: Math.max(...numbers) + 1 }, () => maker.make(GET, NOW));
  return numbers.map((n) => judge.judge(tokens[n]!, GET, NOW) === null);
}

describe('the memory of proofs', () => {
  it('takes each number once, in whatever order', () => {
    assert.deepEqual(taken(0, 1, 2, 1, 2), [true, true, true, false, false]);
    assert.deepEqual(taken(3, 1, 0, 2, 0, 1, 2, 3), [true, true, true, true, false, false, false, false]);
  });

  it('gives up the oldest of those that were passed over, and takes nothing twice', () => {
    const last = 2 * MOST_MISSING;
    const kept = last - MOST_MISSING;
    assert.deepEqual(taken(last, kept - 1, kept, kept, last - 1, last), [
      true,
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  it('gives up no more than it must when more are passed over', () => {
    const gap = MOST_MISSING - 1;
    // two are passed over at first, then so many that one of these has to go
    assert.deepEqual(taken(2, 2 + gap + 1, 0, 1, 3), [true, true, false, true, true]);
  });

  it('agrees with a memory of everything, but for what is given up', () => {
    let state = 1;
    const random = (bound: number) => {
      state = (Math.imul(state, 48_271) >>> 0) % 2_147_483_647;
      return state % bound;
    };
    const { maker, judge } = sides('channel');
    const tokens = Array.from({ length: 500 }, () => maker.make(GET, NOW));
    const seen = new Set<number>();
    for (let i = 0; i < 3_000; i++) {
      const n = random(tokens.length);
      assert.equal(judge.judge(tokens[n]!, GET, NOW), seen.has(n) ? 'proof_replayed' : null);
      seen.add(n);
    }
    assert.ok(seen.size > 450, `${seen.size} of ${tokens.length}`);
  });
});
