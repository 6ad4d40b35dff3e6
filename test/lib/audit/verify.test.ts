import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  createChain,
  createVerifier,
  MAX_LINE_BYTES,
  reportText,
  type VerifyOptions,
} from '../../../lib/audit/index.ts';
import { parseBundle } from '../../../lib/svid/index.ts';
import { seededRandom } from '../../support/der.ts';
import { at, check, decision, found, ID, type Signatory, signatory, wholeRun } from './log.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Numbers and hashes made good again from `from` on, signatures left as they are: all that one can do without the SVID key. */
function rehash(lines: readonly string[], from: number): string[] {
  const out = lines.slice(0, from);
  for (const line of lines.slice(from)) {
    const record = JSON.parse(line);
    record.seq = out.length;
    record.prev = sha256(out.at(-1)!.slice(0, -1));
    out.push(`${JSON.stringify(record)}\n`);
  }
  return out;
}

const without = (lines: string[], ...drop: number[]) => lines.filter((_, i) => !drop.includes(i));
const edited = (lines: string[], i: number) => lines.with(i, lines[i]!.replace('allow', 'deny!'));
const swapped = (lines: string[], i: number, j: number) => lines.with(i, lines[j]!).with(j, lines[i]!);

/** Only bits that base64url leaves unused differ. */
function respelled(line: string): string {
  const at = line.indexOf('"}\n') - 1;
  return line.slice(0, at) + String.fromCharCode(line.charCodeAt(at) + 1) + line.slice(at + 1);
}

describe('audit verification', () => {
  let by: Signatory;
  let lines: string[];
  let options: VerifyOptions;
  before(async () => {
    by = await signatory();
    lines = wholeRun(by.signer);
    options = { bundle: by.bundle };
  });

  it('verifies a whole run', () => {
    const report = check(lines, options);
    const { logs, ...rest } = report;
    assert.equal(logs.length, 1);
    assert.deepEqual(rest, {
      ok: true,
      records: 12,
      signed: 3,
      signers: [ID],
      anchored: true,
      end: 'closed',
      lastSigned: 11,
      unsignedTail: 0,
      recovered: 0,
      admittedRecords: 0,
      removed: 0,
      countersigned: null,
      head: sha256(lines[11]!.slice(0, -1)),
      findings: [],
      findingCount: 0,
    });
    assert.equal(reportText(report), `12 records verified, 3 signatures by ${ID}, ends with a signed stop`);
  });

  it('verifies a log that was written when the format was made', () => {
    const vector = (name: string) =>
      readFileSync(new URL(`../../vectors/audit/${name}`, import.meta.url), 'utf8');
    const bundle = parseBundle('example.org', JSON.parse(vector('bundle.json')));
    const report = check([vector('run.jsonl')], { bundle });
    assert.deepEqual([report.ok, report.records, report.signed, report.end], [true, 12, 3, 'closed']);
    assert.equal(report.head, '4f2f0d59eca1bbc3022e343b6e5b06bc98159883b9470209d3fc877f20a92226');
  });

  it('verifies two runs in one file, and a stream cut anywhere', async () => {
    const chain = createChain();
    const both = [...wholeRun(by.signer, chain), ...wholeRun(by.signer, chain)];
    for (const size of [1, 7, 1000, 1e6]) {
      const verifier = createVerifier(options);
      const bytes = Buffer.from(both.join(''));
      for (let i = 0; i < bytes.length; i += size) verifier.push(bytes.subarray(i, i + size));
      const report = verifier.end();
      assert.deepEqual([report.ok, report.records], [true, 24]);
    }
  });

  // Line numbers count from 1, records from 0. Records 5, 10 and 11 are signed.
  for (const [what, damage, want] of [
    ['an edited record', (l) => edited(l, 2), ['edited 3']],
    ['two edited records', (l) => edited(edited(l, 2), 7), ['edited 3', 'edited 8']],
    ['an edited record right before a checkpoint', (l) => edited(l, 4), ['edited 5']],
    [
      'a record edited so that it is no JSON',
      (l) => l.with(2, l[2]!.replace('"path"', 'path')),
      ['edited 3'],
    ],
    [
      'an edited record, all hashes made good',
      (l) => rehash(edited(l, 2), 3),
      ['bad_signature 6', 'bad_signature 11', 'bad_signature 12', 'unsigned 1'],
    ],
    [
      'an edited record after the first checkpoint, all hashes made good',
      (l) => rehash(edited(l, 7), 8),
      ['bad_signature 11', 'bad_signature 12'],
    ],
    [
      'an edited checkpoint',
      (l) => l.with(5, l[5]!.replace('T12:00:05', 'T12:00:06')),
      ['edited 6', 'bad_signature 6'],
    ],
    [
      'an edited stop, which no later line vouches for',
      (l) => l.with(11, l[11]!.replace('SIGTERM', 'SIGKILL')),
      ['bad_signature 12'],
    ],
    ['a dropped record', (l) => without(l, 3), ['dropped 4']],
    ['dropped records', (l) => without(l, 2, 3, 7), ['dropped 3', 'dropped 6']],
    ['the first record dropped', (l) => without(l, 0), ['dropped 1']],
    [
      'a dropped record, all numbers and hashes made good',
      (l) => rehash(without(l, 3), 3),
      ['bad_signature 5', 'bad_signature 10', 'bad_signature 11', 'unsigned 1'],
    ],
    ['a dropped checkpoint', (l) => without(l, 5), ['dropped 6']],
    ['every signed record dropped, all made good', (l) => rehash(without(l, 5, 10, 11), 5), ['unsigned 1']],
    ['neighbours swapped', (l) => swapped(l, 2, 3), ['reordered 3']],
    [
      'records swapped far apart',
      (l) => swapped(l, 2, 7),
      [4, 5, 6, 7, 8].map((line) => `reordered ${line}`),
    ],
    ['a duplicated record', (l) => l.toSpliced(3, 0, l[2]!), ['duplicated 4']],
    ['an old record once more at the end', (l) => [...l, l[2]!], ['duplicated 13']],
    [
      'a forged record inserted',
      (l) => l.toSpliced(3, 0, l[3]!.replace('allow', 'deny!')),
      ['edited 4', 'duplicated 5'],
    ],
    ['a line of rubbish inserted', (l) => l.toSpliced(3, 0, 'rubbish\n'), ['edited 4']],
    ['an empty line', (l) => l.toSpliced(3, 0, '\n'), ['edited 4']],
    ['a last line without its end', (l) => l.with(11, l[11]!.slice(0, -1)), ['cut_off 12']],
    ['half a last line', (l) => l.with(11, l[11]!.slice(0, 50)), ['cut_off 12']],
    ['a forged record after the stop', (l) => rehash([...l, l[2]!], 12), []],
    [
      'a line made unreadable and the next one dropped',
      (l) => without(l.with(2, 'x\n'), 3),
      ['edited 3', 'dropped 4'],
    ],
    ['a forged checkpoint without a signature', (l) => [...l, unsignedCheckpoint(l)], ['bad_signature 13']],
    [
      'the last signature in another spelling of its bytes',
      (l) => l.with(11, respelled(l[11]!)),
      ['bad_signature 12'],
    ],
    ['nothing left', () => [], ['empty 1']],
    ['only rubbish', () => ['rubbish\n'], ['edited 1', 'empty 1']],
    ['a line longer than any record', (l) => l.with(2, `${'x'.repeat(MAX_LINE_BYTES + 1)}\n`), ['edited 3']],
    ['bytes that are no UTF-8', (l) => l.with(2, l[2]!.replace('allow', 'all\ud800w')), ['edited 3']],
  ] as [string, (lines: string[]) => string[], string[]][]) {
    it(`finds ${what}: ${want.join(', ') || 'nothing, but the end is open'}`, () => {
      const damaged = damage([...lines]);
      const report = check(damaged, options);
      assert.deepEqual(found(report).sort(), [...want].sort());
      assert.deepEqual([report.ok, report.findingCount], [want.length === 0, want.length]);
      if (want.length === 0) assert.deepEqual([report.end, report.unsignedTail], ['open', 1]);
    });
  }

  it('counts a signed record once, however often it stands in the file', () => {
    const report = check(lines.toSpliced(6, 0, lines[5]!), options);
    assert.deepEqual([report.signed, found(report)], [3, ['duplicated 7']]);
  });

  it('an empty file is not a closed one', () => {
    assert.deepEqual([check([], options).end, check([], options).head], ['open', null]);
  });

  it('says in one line what it found first and how much more', () => {
    assert.match(
      reportText(check(edited(lines, 2), options)),
      /^12 records, not verified: line 3 \(record 2\): edited: [^()]+$/,
    );
    assert.match(
      reportText(check(without(edited(lines, 2), 6), options)),
      /line 3 \(record 2\): edited: .* \(and 1 more\)$/,
    );
    assert.match(reportText(check(without(lines, 1), options)), /: record 1 is missing before it$/);
    assert.match(reportText(check(without(lines, 1, 2), options)), /: records 1 to 2 are missing before it$/);
  });

  it('says that a file cut after a checkpoint is open, and finds the cut by an expected head', () => {
    const cut = lines.slice(0, 6);
    const report = check(cut, options);
    assert.deepEqual([report.ok, report.end, report.lastSigned, report.unsignedTail], [true, 'open', 5, 0]);
    assert.equal(reportText(report), `6 records verified, 1 signature by ${ID}, ends at checkpoint 5, open`);
    const expectHead = check(lines, options).head!;
    assert.deepEqual(found(check(cut, { ...options, expectHead })), ['cut_off 6']);
    assert.equal(check(lines, { ...options, expectHead }).ok, true);
  });

  it('accepts an expected head that the file has grown beyond', () => {
    assert.equal(check(lines, { ...options, expectHead: sha256(lines[5]!.slice(0, -1)) }).ok, true);
  });

  it('counts records after the last checkpoint, and refuses too many or too old ones', () => {
    const chain = createChain();
    const head = [chain.append(decision(1), at(0)).line, chain.checkpoint(by.signer, at(1)).line];
    const tail = (count: number, seconds: number) => {
      const more = createChain(chain.state);
      return Array.from(
        { length: count },
        (_, i) => more.append(decision(i), at(2 + (i * seconds) / count)).line,
      );
    };
    const open = check([...head, ...tail(1000, 10)], options);
    assert.deepEqual([open.ok, open.end, open.unsignedTail], [true, 'open', 1000]);
    assert.match(reportText(open), /ends at checkpoint 1, open, 1000 not yet signed$/);
    assert.deepEqual(found(check([...head, ...tail(1001, 10)], options)), ['unsigned 3']);
    assert.deepEqual(found(check([...head, ...tail(3, 60)], options)), ['unsigned 3']);
  });

  it('refuses a log that nobody signed, even one that is sound', () => {
    const chain = createChain();
    const stop = [chain.append({ type: 'start' }, at(0)).line, chain.stop(null, {}, at(1)).line];
    assert.deepEqual(found(check(stop, options)), ['unsigned 1']);
  });

  it('does not take an unsigned stop for the end', () => {
    const chain = createChain();
    const run = [
      chain.append({ type: 'start' }, at(0)).line,
      chain.checkpoint(by.signer, at(1)).line,
      chain.stop(null, {}, at(2)).line,
    ];
    const report = check(run, options);
    assert.deepEqual([report.ok, report.end, report.unsignedTail], [true, 'open', 1]);
  });

  it('finds every one of 400 single-byte changes anywhere in the file', () => {
    const bytes = Buffer.from(lines.join(''));
    const random = seededRandom(11);
    for (let i = 0; i < 400; i++) {
      const place = Math.floor(random() * bytes.length);
      const damaged = Buffer.from(bytes);
      damaged[place]! ^= 1 << Math.floor(random() * 8);
      const verifier = createVerifier(options);
      verifier.push(damaged);
      const report = verifier.end();
      const line = bytes.subarray(0, place).filter((byte) => byte === 0x0a).length + 1;
      assert.equal(report.ok, false, `byte ${place}`);
      const nearest = Math.min(...report.findings.map((finding) => Math.abs(finding.line - line)));
      assert.ok(nearest <= 1, `byte ${place} of line ${line}: ${found(report)}`);
    }
  });

  it('gives a report on whatever it is fed: 2,000 files put together at random', () => {
    const random = seededRandom(12);
    const pieces = [
      ...lines,
      '\n',
      '{',
      '"',
      '}\n',
      lines[5]!.slice(0, 500),
      lines[9]!.slice(-200),
      '{"seq":0}\n',
      '\u0000',
      '9'.repeat(400),
    ];
    for (let i = 0; i < 2_000; i++) {
      const count = Math.floor(random() * 20);
      const report = check(
        Array.from({ length: count }, () => pieces[Math.floor(random() * pieces.length)]!),
        options,
      );
      assert.equal(report.ok, report.findingCount === 0);
      assert.ok(!report.ok || report.signed > 0);
    }
  });

  it('holds no more than a line of an endless one', () => {
    const verifier = createVerifier(options);
    const megabyte = Buffer.alloc(1 << 20, 0x61);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 64; i++) verifier.push(megabyte);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20);
    assert.deepEqual(found(verifier.end()), ['cut_off 1', 'empty 1']);
  });

  it('counts thousands of findings and names a hundred', () => {
    const report = check([...lines, ...Array.from({ length: 5000 }, () => 'rubbish\n')], options);
    assert.deepEqual([report.findings.length, report.findingCount], [100, 5000]);
    const gappy = check(manyGaps(250), { bundle: null });
    assert.deepEqual([gappy.findings.length, gappy.findingCount], [100, 251]);
  });
});

/** A record that calls itself a checkpoint, well chained. */
function unsignedCheckpoint(lines: readonly string[]): string {
  const prev = sha256(lines.at(-1)!.slice(0, -1));
  return `{"seq":${lines.length},"time":"${at(60).toISOString()}","type":"checkpoint","prev":"${prev}"}\n`;
}

/** Every other record of a log that nobody signed. */
function manyGaps(gaps: number): string[] {
  const chain = createChain();
  const all = Array.from({ length: 2 * gaps + 1 }, (_, i) => chain.append(decision(i), at(i / 1000)).line);
  return all.filter((_, i) => i % 2 === 0);
}
