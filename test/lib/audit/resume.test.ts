import assert from 'node:assert/strict';
import {
  AuditError,
  createVerifier,
  MAX_LINE_BYTES,
  RESUME_TAIL_BYTES,
  resumeFrom,
} from '../../../lib/audit/index.ts';
import { at, decision, type Signatory, signatory, wholeRun } from './log.ts';

/** A file as the next run finds it, and as that run leaves it. */
function goOn(file: string | Buffer, by: Signatory): { whole: Buffer; due: boolean } {
  const bytes = Buffer.from(file as string);
  const { chain, repair } = resumeFrom(bytes.subarray(-RESUME_TAIL_BYTES), at(60));
  const due = chain.checkpointDue(at(60));
  const run = [chain.append({ type: 'start' }, at(60)).line, chain.append(decision(9), at(61)).line];
  run.push(chain.stop(by.signer, {}, at(62)).line);
  return { whole: Buffer.concat([bytes, Buffer.from(repair + run.join(''))]), due };
}

function verified(bytes: Buffer, by: Signatory) {
  const verifier = createVerifier({ bundle: by.bundle });
  verifier.push(bytes);
  return verifier.end();
}

describe('audit after a restart', () => {
  let by: Signatory;
  let lines: string[];
  before(async () => {
    by = await signatory();
    lines = wholeRun(by.signer);
  });

  it('goes on after a signed stop', () => {
    const { whole, due } = goOn(lines.join(''), by);
    assert.equal(due, false);
    const report = verified(whole, by);
    assert.deepEqual([report.ok, report.records, report.recovered], [true, 15, 0]);
  });

  it('begins with an empty file', () => {
    const report = verified(goOn('', by).whole, by);
    assert.deepEqual([report.ok, report.records], [true, 3]);
  });

  it('goes on after a crash between two lines, with a checkpoint at once', () => {
    const { whole, due } = goOn(lines.slice(0, 9).join(''), by);
    assert.equal(due, true);
    const report = verified(whole, by);
    assert.deepEqual([report.ok, report.records], [true, 12]);
  });

  it('goes on after a crash at any byte of a line, keeping what was written and saying so', () => {
    const start = lines.slice(0, 8).join('');
    const last = Buffer.from(lines[8]!.replace('orders-read', 'ördérs'));
    for (let length = 1; length < last.length - 1; length++) {
      const { whole } = goOn(Buffer.concat([Buffer.from(start), last.subarray(0, length)]), by);
      const report = verified(whole, by);
      assert.deepEqual(
        [report.ok, report.recovered, report.records],
        [true, 1, 12],
        `cut at ${length}: ${JSON.stringify(report)}`,
      );
      assert.ok(whole.includes(last.subarray(0, length)));
    }
  });

  it('goes on when only the line break is missing, or in the very first line', () => {
    const report = verified(goOn(lines.slice(0, 9).join('').slice(0, -1), by).whole, by);
    assert.deepEqual([report.ok, report.recovered, report.records], [true, 0, 12]);
    const first = verified(goOn(lines[0]!.slice(0, 20), by).whole, by);
    assert.deepEqual([first.ok, first.recovered, first.records], [true, 1, 4]);
  });

  for (const [what, damage] of [
    ['is another', (line) => line.replace('"seq":8', '"seq":3').replace(/"prev":"\w{4}/, '"prev":"0000')],
    ['has another number', (line) => line.replace('"seq":8', '"seq":9')],
    ['has another hash', (line) => line.replace(/"prev":"\w{4}/, '"prev":"0000')],
  ] as [string, (line: string) => string][]) {
    it(`refuses a whole last line that ${what} than follows`, () => {
      const last = damage(lines[8]!.slice(0, -1));
      const tail = Buffer.from(lines.slice(0, 8).join('') + last);
      assert.notEqual(last, lines[8]!.slice(0, -1));
      assert.throws(() => resumeFrom(tail, at(60)), { code: 'AUDIT_RESUME_REFUSED' });
    });
  }

  it('refuses half a line that is longer than any record', () => {
    const tail = Buffer.from(lines[0] + 'x'.repeat(MAX_LINE_BYTES));
    assert.throws(() => resumeFrom(tail, at(60)), { code: 'AUDIT_RESUME_REFUSED' });
  });

  for (const [what, damage, want] of [
    ['the cut-off line removed', (l) => l.toSpliced(8, 1), 'dropped'],
    ['the cut-off line altered', (l) => l.with(8, `x${l[8]}`), 'edited'],
    ['the record of it removed', (l) => l.toSpliced(9, 1), 'edited'],
    ['a line between the two', (l) => l.toSpliced(9, 0, l[2]!), 'edited'],
  ] as [string, (lines: string[]) => string[], string][]) {
    it(`verification finds ${what}`, () => {
      const { whole } = goOn(lines.slice(0, 8).join('') + lines[8]!.slice(0, 40), by);
      const all = whole.toString().split(/(?<=\n)/);
      assert.equal(verified(whole, by).ok, true);
      const report = verified(Buffer.from(damage(all).join('')), by);
      assert.ok(
        report.findings.some(({ kind }) => kind === want),
        JSON.stringify(report.findings),
      );
    });
  }

  for (const [what, tail] of [
    ['a last line that is no record', 'rubbish\n'],
    ['a last line that is another file’s', '{"level":"info"}\n'],
    ['an empty last line', '\n'],
    ['a tail without a line break', 'x'.repeat(RESUME_TAIL_BYTES)],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => resumeFrom(Buffer.from(tail), at(0)),
        (error) => error instanceof AuditError && error.code === 'AUDIT_RESUME_REFUSED',
      );
    });
  }
});
