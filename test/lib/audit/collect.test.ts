import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  AuditError,
  collect,
  createChain,
  headOf,
  NOTHING_COLLECTED,
  orderFiles,
  readCountersignature,
} from '../../../lib/audit/index.ts';
import { at, decision } from './log.ts';

const LOG = 'L'.repeat(22);
const head = (log: string | null, seq: number | null) => ({ log, seq, time: null });
const named = (name: string, log: string | null, seq: number | null) => ({ name, head: head(log, seq) });
const names = (files: ReturnType<typeof orderFiles<ReturnType<typeof named>>>) =>
  files.map((log) => log.files.map(({ name }) => name));

describe('collecting a log', () => {
  it('takes lines that follow, and stands where the last of them says; what is signed is shown', () => {
    const chain = createChain();
    const lines = [
      chain.append({ type: 'start', log: LOG }, at(0)).line,
      chain.append(decision(1), at(1)).line,
    ];
    const bare = lines.map((line) => line.slice(0, -1));
    const whole = collect(NOTHING_COLLECTED, LOG, bare);
    assert.deepEqual(whole, { standing: { next: 2, hash: chain.state.prev }, sealed: [] });
    const first = collect(NOTHING_COLLECTED, LOG, bare.slice(0, 1)).standing;
    assert.deepEqual(collect(first, LOG, bare.slice(1)), whole);
    assert.deepEqual(collect(first, LOG, []), { standing: first, sealed: [] });
    assert.throws(() => collect(NOTHING_COLLECTED, 'other', bare), /line 1 is of another log/);
  });

  it('takes nothing else, whatever it is given', () => {
    const chain = createChain();
    const line = chain.append({ type: 'start', log: LOG }, at(0)).line.slice(0, -1);
    const broken = fc
      .tuple(fc.nat(line.length - 1), fc.string({ minLength: 1, maxLength: 3 }))
      .map(([place, text]) => line.slice(0, place) + text + line.slice(place + text.length));
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json(), broken), { maxLength: 4 }), (lines) => {
        try {
          const { standing } = collect(NOTHING_COLLECTED, LOG, lines);
          assert.equal(standing.next, lines.length);
          assert.ok(lines.every((each) => JSON.stringify(JSON.parse(each)) === each));
        } catch (error) {
          assert.ok(error instanceof AuditError && error.code === 'AUDIT_NOT_NEXT', String(error));
        }
      }),
      { numRuns: 2_000, seed: 3 },
    );
  });
});

describe('putting audit files in order', () => {
  it('by what they say of themselves, not by name or by the order in which they are given', () => {
    const files = [
      named('b', 'x', 9),
      named('c', 'y', 0),
      named('a', 'x', 0),
      named('d', null, 0),
      named('e', null, 0),
    ];
    assert.deepEqual(names(orderFiles(files)), [['a', 'b'], ['c'], ['d'], ['e']]);
  });

  it('one without a record at the end of the log whose files are named like it', () => {
    const files = [
      named('a.jsonl', null, null),
      named('a.jsonl.000000000000', 'x', 0),
      named('b.jsonl', null, null),
    ];
    assert.deepEqual(names(orderFiles(files)), [['a.jsonl.000000000000', 'a.jsonl'], ['b.jsonl']]);
  });

  it('copies of one log in several folders each for itself, but parts of it together', () => {
    const parts = [named('old/a.jsonl.000000000000', 'x', 0), named('a.jsonl', 'x', 7)];
    assert.equal(orderFiles(parts).length, 1);
    assert.deepEqual(
      names(
        orderFiles([...parts.map((file) => ({ ...file, name: `s/${file.head.seq}` })), named('c/x', 'x', 0)]),
      ),
      [['s/0', 's/7'], ['c/x']],
    );
  });

  it('reads any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.deepEqual(headOf(bytes), head(null, null));
        assert.equal(readCountersignature(Buffer.from(bytes).toString()), null);
      }),
    );
    fc.assert(fc.property(fc.json(), (text) => assert.equal(readCountersignature(text), null)));
  });
});
