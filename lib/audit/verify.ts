import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { SpiffeId } from '../spiffe/index.ts';
import type { Bundle } from '../svid/index.ts';
import { CHECKPOINT_INTERVAL_MS, CHECKPOINT_RECORDS } from './chain.ts';
import { LineSplitter } from './lines.ts';
import { type AuditRecord, MAX_LINE_BYTES, readRecord } from './record.ts';
import type { AuditReport, Finding, FindingKind } from './report.ts';
import { readSeal } from './seal.ts';
import { Sequence } from './sequence.ts';

export type VerifyOptions = {
  /** Who is trusted to have signed; null leaves that open, and the report says so. */
  readonly bundle: Bundle | null;
  /** The workload whose log it is said to be. Without it, the first signer's. */
  readonly expectId?: SpiffeId;
  /** Hex SHA-256 of a line known to have been written, from an earlier report: it must still be there. */
  readonly expectHead?: string;
};

/** Verifies a log as a stream, in constant memory and offline. Give it the bytes in order, then ask for the report once. */
export type Verifier = { push(chunk: Uint8Array): void; end(): AuditReport };

const MAX_FINDINGS = 100;
/** A timer may fire late and a signature may wait for a new SVID, but not for long. */
const UNSIGNED_MAX_MS = 2 * CHECKPOINT_INTERVAL_MS;

export function createVerifier(options: VerifyOptions): Verifier {
  const run = new Run(options);
  const splitter = new LineSplitter(MAX_LINE_BYTES, (line) => run.line(line));
  return { push: (chunk) => splitter.push(chunk), end: () => run.report(splitter.rest) };
}

/** A line that is no record, until the next one says whether a crash explains it. */
type Fragment = { readonly line: number; readonly bytes: number; readonly sha256: string };

class Run {
  readonly #options: VerifyOptions;
  readonly #sequence = new Sequence();
  readonly #signers = new Set<string>();
  #findings: Finding[] = [];
  #findingCount = 0;
  #lines = 0;
  #records = 0;
  #signed = 0;
  #recovered = 0;
  #fragment: Fragment | null = null;
  #head: string | null = null;
  #headSeen = false;
  #lastSigned: number | null = null;
  #lastIsStop = false;
  /** Since the last signed record: how many, from which line and time on, until which time. */
  #tail = { records: 0, line: 1, from: 0, to: 0 };

  constructor(options: VerifyOptions) {
    this.#options = options;
  }

  line(bytes: Buffer | null): void {
    this.#lines += 1;
    const text = bytes === null || !isUtf8(bytes) ? null : bytes.toString();
    const record = text === null ? null : readRecord(text);
    const ownHash = hash('sha256', bytes ?? Buffer.alloc(0));
    if (bytes !== null) this.#sawLine(ownHash);
    if (text === null || record === null) {
      this.#settleFragment(null);
      this.#fragment = { line: this.#lines, bytes: bytes?.length ?? -1, sha256: ownHash };
      return;
    }
    this.#settleFragment(record);
    this.#records += 1;
    const { flaw, inOrder } = this.#sequence.follow(record.seq, record.prev, ownHash, this.#lines);
    if (flaw !== null) this.#find(flaw.kind, flaw.line, flaw.message);
    if (inOrder) this.#count(text, record);
  }

  /** `rest`: bytes after the last line break. */
  report(rest: number): AuditReport {
    this.#settleFragment(null);
    for (const { kind, line, message } of this.#sequence.dropped()) this.#find(kind, line, message);
    this.#findingCount += this.#sequence.furtherGaps;
    if (rest > 0) this.#find('cut_off', this.#lines + 1, 'the line has no end');
    this.#judgeEnd();
    return {
      ok: this.#findingCount === 0,
      records: this.#records,
      signed: this.#signed,
      signers: [...this.#signers],
      anchored: this.#options.bundle !== null,
      end: this.#lastIsStop ? 'closed' : 'open',
      lastSigned: this.#lastSigned,
      unsignedTail: this.#tail.records,
      recovered: this.#recovered,
      head: this.#head,
      findings: this.#findings.sort((a, b) => a.line - b.line),
      findingCount: this.#findingCount,
    };
  }

  #sawLine(ownHash: string): void {
    this.#head = ownHash;
    this.#headSeen ||= ownHash === this.#options.expectHead;
  }

  /** The line before was no record: a crash explains it if `record` says so, else it is a finding. */
  #settleFragment(record: AuditRecord | null): void {
    const fragment = this.#fragment;
    const claimed =
      record?.type === 'recovered' ? (record['fragment'] as Partial<Fragment> | undefined) : undefined;
    this.#fragment = null;
    const explained =
      fragment !== null && fragment.sha256 === claimed?.sha256 && fragment.bytes === claimed.bytes;
    if (explained) this.#recovered += 1;
    else if (fragment !== null) {
      this.#sequence.skip(fragment.line);
      this.#find('edited', fragment.line, fragment.bytes < 0 ? 'longer than any record' : 'not a record');
    } else if (claimed !== undefined) {
      this.#find('dropped', this.#lines, 'the cut-off line that it speaks of is missing before it');
    }
  }

  #count(text: string, record: AuditRecord): void {
    const sealed = record.sig !== undefined && this.#checkSeal(text, record);
    this.#lastIsStop = sealed && record.type === 'stop';
    if (record.type === 'checkpoint' && record.sig === undefined) {
      this.#find('bad_signature', this.#lines, 'a checkpoint without a signature');
    }
    if (sealed) {
      this.#signed += 1;
      this.#lastSigned = record.seq;
      this.#tail = { records: 0, line: this.#lines + 1, from: 0, to: 0 };
      return;
    }
    const time = Date.parse(record.time);
    if (this.#tail.records === 0) this.#tail.from = time;
    this.#tail.records += 1;
    this.#tail.to = time;
  }

  #checkSeal(text: string, record: AuditRecord): boolean {
    const { id, flaw, detail } = readSeal(text, record, this.#options.bundle);
    if (id === null) {
      const what = flaw === 'signature' ? 'bad_signature' : 'bad_certificate';
      this.#find(
        what,
        this.#lines,
        `${detail}; it does not vouch for lines ${this.#tail.line} to ${this.#lines}`,
      );
      return false;
    }
    const expected = this.#options.expectId?.toString() ?? [...this.#signers][0] ?? id.toString();
    this.#signers.add(id.toString());
    if (id.toString() === expected) return true;
    this.#find('signer_changed', this.#lines, `signed by ${id}, not ${expected}`);
    return false;
  }

  #judgeEnd(): void {
    const { expectHead } = this.#options;
    if (this.#records === 0) this.#find('empty', 1, 'no record');
    else if (this.#signed === 0)
      this.#find('unsigned', 1, 'no record is signed, so anyone may have written them');
    else if (this.#tail.records > CHECKPOINT_RECORDS || this.#tail.to - this.#tail.from > UNSIGNED_MAX_MS) {
      this.#find(
        'unsigned',
        this.#tail.line,
        `the last ${this.#tail.records} records are not signed, and should be`,
      );
    }
    if (expectHead !== undefined && !this.#headSeen) {
      this.#find('cut_off', this.#lines, 'no line has the expected head');
    }
  }

  #find(kind: FindingKind, line: number, message: string): void {
    this.#findingCount += 1;
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push({ kind, line, message });
  }
}
