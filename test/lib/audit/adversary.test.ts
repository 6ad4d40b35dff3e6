import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  type AuditReport,
  type Chain,
  createChain,
  type FindingKind,
  type VerifyOptions,
} from '../../../lib/audit/index.ts';
import { checkFiles, type Files } from './files.ts';
import { at, check, decision, type Signatory, signatory } from './log.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const RUNS = { numRuns: 150, seed: 7 };

/** A log of three files, as a sidecar leaves them: two full ones and the one that it ended in. */
function rotatedLog(signer: Signatory['signer'], log = 'L'.repeat(22)): Record<string, string[]> {
  const chain: Chain = createChain();
  const files: Record<string, string[]> = {};
  let second = 0;
  const now = () => at(second++ / 10);
  let lines = [chain.append({ type: 'start', log }, now()).line];
  for (let file = 0; file < 3; file++) {
    const first = chain.state.seq - lines.length;
    for (let n = 0; n < 12; n++) {
      lines.push(chain.append(decision(chain.state.seq), now()).line);
      if (n % 5 === 4) lines.push(chain.checkpoint(signer, now()).line);
    }
    const name = `a.jsonl.${String(first).padStart(12, '0')}`;
    if (file === 2) {
      lines.push(chain.stop(signer, {}, now()).line);
      files['a.jsonl'] = lines;
    } else {
      lines.push(chain.rotate(signer, { log, file: name, next: chain.state.seq + 1 }, now()).line);
      files[name] = lines;
      const { seq, prev } = chain.state;
      lines = [
        chain.note('continued', { log, after: { file: name, seq: seq - 1, sha256: prev } }, now()).line,
      ];
    }
  }
  return files;
}

const joined = (files: Readonly<Record<string, readonly string[]>>): Files =>
  Object.fromEntries(Object.entries(files).map(([name, lines]) => [name, lines.join('')]));

/** Reads a whole log line by line and asks of each whether it is next: all there is to it, and no word on what happened. */
function naiveFlaw(lines: readonly string[]): number | null {
  let prev: string | null = null;
  for (const [i, line] of lines.entries()) {
    let record: { seq: number; prev: string };
    try {
      record = JSON.parse(line);
    } catch {
      return i;
    }
    const canonical = `${JSON.stringify(record)}\n` === line;
    if (!canonical || record.seq !== i || (prev !== null && record.prev !== prev)) return i;
    prev = sha256(line.slice(0, -1));
  }
  return null;
}

describe('audit verification against somebody who changes files', () => {
  let by: Signatory;
  let files: Record<string, string[]>;
  let names: string[];
  let total: number;
  let options: VerifyOptions;
  /** Somebody else's log, and another one of the same workload. */
  let foreign: string[];
  before(async () => {
    by = await signatory();
    options = { bundle: by.bundle };
    files = rotatedLog(by.signer);
    names = Object.keys(files).sort((a, b) => (a === 'a.jsonl' ? 1 : b === 'a.jsonl' ? -1 : a < b ? -1 : 1));
    total = Object.values(files).flat().length;
    const chain = createChain();
    foreign = Array.from({ length: 2 * total }, (_, i) =>
      i % 7 === 6
        ? chain.checkpoint(by.signer, at(i / 20)).line
        : chain.append(decision(1_000 + i), at(i / 20)).line,
    );
  });

  const anyFile = fc.nat({ max: 2 });
  const place = fc.nat({ max: 1_000_000 });
  /** A file and a line in it. */
  const pick = (file: number, at: number) => {
    const name = names[file]!;
    return { name, lines: files[name]!, line: at % files[name]!.length };
  };
  const changed = (name: string, lines: readonly string[]) => joined({ ...files, [name]: [...lines] });
  const tell = (report: AuditReport) =>
    report.findings.map(({ kind, file, line }) => `${kind} ${file} ${line}`).join('; ');
  /** Found, as one of these kinds, at most one line away. */
  const located = (report: AuditReport, name: string, line: number, kinds: readonly FindingKind[]) => {
    assert.equal(report.ok, false);
    const near = report.findings.some(
      (finding) =>
        finding.file === name && Math.abs(finding.line - (line + 1)) <= 1 && kinds.includes(finding.kind),
    );
    assert.ok(near, `${name} ${line + 1}: ${tell(report)}`);
  };

  it('it is sound as it was left, whatever the order in which the files are given', () => {
    assert.deepEqual(checkFiles(joined(files), options).findings, []);
    const backwards = Object.fromEntries(Object.entries(joined(files)).reverse());
    const report = checkFiles(backwards, options);
    assert.deepEqual(
      [report.findings, report.records, report.end, report.logs.length],
      [[], total, 'closed', 1],
    );
  });

  it('a changed byte', () => {
    fc.assert(
      fc.property(anyFile, place, place, fc.integer({ min: 1, max: 255 }), (file, at, byte, flip) => {
        const { name, lines, line } = pick(file, at);
        const bytes = Buffer.from(lines[line]!);
        bytes[byte % (bytes.length - 1)]! ^= flip;
        const content = Buffer.concat(
          [...lines.slice(0, line), bytes, ...lines.slice(line + 1)].map(Buffer.from),
        );
        const report = checkFiles({ ...joined(files), [name]: content }, options);
        located(report, name, line, [
          'edited',
          'bad_signature',
          'bad_certificate',
          'dropped',
          'missing_file',
          'misnamed_file',
          'foreign',
          'cut_off',
          'reordered',
        ]);
      }),
      RUNS,
    );
  });

  it('dropped records', () => {
    fc.assert(
      fc.property(anyFile, place, fc.integer({ min: 1, max: 4 }), (file, at, count) => {
        const { name, lines, line } = pick(file, at);
        const left = lines.toSpliced(line, count);
        const report = checkFiles(changed(name, left), options);
        if (name === 'a.jsonl' && line + count >= lines.length) {
          // nothing after it tells: an open end, which the head of before tells apart
          const head = sha256(lines.at(-1)!.slice(0, -1));
          assert.notEqual(report.end === 'closed' && report.ok, true);
          assert.ok(
            checkFiles(changed(name, left), { ...options, expectHead: head }).findings.some(
              ({ kind }) => kind === 'cut_off',
            ),
          );
        } else if (line + count >= lines.length) {
          const next = names[file + 1]!;
          located(report, next, 0, ['missing_file', 'dropped']);
        } else located(report, name, line, ['dropped', 'missing_file', 'misnamed_file']);
      }),
      RUNS,
    );
  });

  it('a record that was moved', () => {
    fc.assert(
      fc.property(anyFile, place, place, (file, from, to) => {
        const { name, lines, line } = pick(file, from);
        const target = to % lines.length;
        fc.pre(target !== line);
        const left = lines.toSpliced(line, 1);
        const report = checkFiles(changed(name, left.toSpliced(target, 0, lines[line]!)), options);
        assert.equal(report.ok, false);
        assert.ok(
          report.findings.some(({ file: where }) => where === name),
          tell(report),
        );
        const kinds: FindingKind[] = ['reordered', 'dropped', 'foreign', 'missing_file', 'misnamed_file'];
        assert.ok(
          report.findings.some(({ kind }) => kinds.includes(kind)),
          tell(report),
        );
      }),
      RUNS,
    );
  });

  it('a record that stands there twice', () => {
    fc.assert(
      fc.property(anyFile, place, place, (file, from, to) => {
        const { name, lines, line } = pick(file, from);
        const target = line + 1 + (to % (lines.length - line));
        const report = checkFiles(changed(name, lines.toSpliced(target, 0, lines[line]!)), options);
        located(report, name, target, ['duplicated']);
        assert.equal(report.findingCount, 1, tell(report));
      }),
      RUNS,
    );
  });

  it('a record of another log, of the same workload too', () => {
    fc.assert(
      fc.property(anyFile, place, place, (file, at, which) => {
        const { name, lines, line } = pick(file, at);
        const target = Math.max(line, 1);
        const stranger = foreign[which % foreign.length]!;
        const report = checkFiles(changed(name, lines.toSpliced(target, 0, stranger)), options);
        located(report, name, target, ['foreign', 'duplicated', 'edited', 'dropped']);
      }),
      RUNS,
    );
  });

  it('a file that is missing', () => {
    for (const [i, name] of names.entries()) {
      const { [name]: _, ...left } = files;
      const report = checkFiles(joined(left), options);
      if (i === 2) assert.deepEqual([report.ok, report.end], [true, 'rotated']);
      else
        assert.deepEqual(
          report.findings.map(({ kind, file }) => [kind, file]),
          [['missing_file', names[i + 1]]],
        );
    }
  });

  it('files whose names were exchanged, and one that was emptied of its beginning', () => {
    const [first = '', second = ''] = names;
    const swapped = joined({ ...files, [first]: files[second]!, [second]: files[first]! });
    assert.deepEqual(
      checkFiles(swapped, options).findings.map(({ kind, file }) => [kind, file]),
      [
        ['misnamed_file', second],
        ['misnamed_file', first],
      ],
    );
  });

  it('agrees with a verifier that only compares each line with the one before', () => {
    const all = names.flatMap((name) => files[name]!);
    const step = fc.oneof(
      fc.record({ kind: fc.constant('drop' as const), at: place }),
      fc.record({ kind: fc.constant('swap' as const), at: place, to: place }),
      fc.record({ kind: fc.constant('double' as const), at: place, to: place }),
      fc.record({ kind: fc.constant('edit' as const), at: place }),
      fc.record({ kind: fc.constant('insert' as const), at: place, to: place }),
      fc.record({ kind: fc.constant('none' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
        const lines = [...all];
        for (const one of steps) {
          if (one.kind === 'none') continue;
          const i = one.at % lines.length;
          if (one.kind === 'drop' && i < lines.length - 1) lines.splice(i, 1);
          else if (one.kind === 'edit') lines[i] = lines[i]!.replace(/"time":"2026/, '"time":"2027');
          else if (one.kind === 'swap') {
            const j = one.to % lines.length;
            [lines[i], lines[j]] = [lines[j]!, lines[i]!];
          } else if (one.kind === 'double') lines.splice(one.to % (lines.length + 1), 0, lines[i]!);
          else if (one.kind === 'insert') lines.splice(i, 0, foreign[one.to % foreign.length]!);
        }
        const report = check(lines, options);
        const flaw = naiveFlaw(lines);
        // an edited last line is known by its signature alone, which the naive one does not look at
        const sealed = report.findings.every(({ kind }) =>
          ['bad_signature', 'bad_certificate', 'unsigned'].includes(kind),
        );
        if (flaw === null) assert.ok(report.ok || sealed, tell(report));
        else {
          assert.equal(report.ok, false, `line ${flaw + 1}`);
          const first = Math.min(...report.findings.map(({ line }) => line));
          assert.ok(first <= flaw + 2 + steps.length, `${tell(report)} for line ${flaw + 1}`);
        }
      }),
      { numRuns: 400, seed: 7 },
    );
  });

  it('everything made good again but the signatures', () => {
    fc.assert(
      fc.property(anyFile, place, (file, at) => {
        const { name, line, lines } = pick(file, at);
        fc.pre(!lines[line]!.includes('"sig"'));
        const out: Record<string, string[]> = {};
        let prev = '';
        let seq = 0;
        for (const each of names) {
          out[each] = files[each]!.map((text, i) => {
            const record = JSON.parse(text);
            if (each === name && i === line) record.time = '2026-06-01T12:00:00.001Z';
            if (prev !== '') record.prev = prev;
            record.seq = seq++;
            const made = JSON.stringify(record);
            prev = sha256(made);
            return `${made}\n`;
          });
        }
        const report = checkFiles(joined(out), options);
        assert.ok(
          report.findings.some(({ kind }) => kind === 'bad_signature'),
          tell(report),
        );
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});
