import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { SpiffeId } from '../spiffe/index.ts';
import type { Bundle } from '../svid/index.ts';
import type { Countersigners } from './countersignature.ts';
import { rotatedSeq } from './file-order.ts';
import { LineSplitter } from './lines.ts';
import { type Findings, LogCheck } from './log-check.ts';
import { type AuditRecord, MAX_LINE_BYTES, readRecord } from './record.ts';
import { type AuditReport, type Finding, type LogReport, type Place, summary } from './report.ts';
import { GENESIS } from './seal.ts';

export type VerifyOptions = {
  /** Who is trusted to have signed; null leaves that open, and the report says so. */
  readonly bundle: Bundle | null;
  /** The workload whose log it is said to be. Without it, the first signer's of each log. */
  readonly expectId?: SpiffeId;
  /** Hex SHA-256 of a line known to have been written, from an earlier report: it must still be there. */
  readonly expectHead?: string;
  /** Hex SHA-256 of a line up to which the log was verified earlier: the first record given may go on from it. */
  readonly after?: string;
  /** Nothing may be missing, not even what the log says never reached this copy. */
  readonly complete?: boolean;
  /** Whose countersignatures are believed; without it, any that are well-formed. */
  readonly countersigners?: Countersigners;
};

/**
 * Verifies logs as a stream, in constant memory and offline. Give it the bytes of each log's files in order, then ask for the report once.
 * Records of several processes in one stream are told apart by their marks.
 */
export interface Verifier {
  /**
   * What is pushed from now on stands in `file`. With `newLog` another log begins, otherwise it goes on with the one before.
   * `countersigned` gives the lines of its countersignatures.
   */
  begin(file: string, newLog: boolean, countersigned?: Iterator<string> | undefined): void;
  push(chunk: Uint8Array): void;
  end(): AuditReport;
}

const MAX_FINDINGS = 100;

export function createVerifier(options: VerifyOptions): Verifier {
  return new Verification(options);
}

class Verification implements Verifier {
  readonly #options: VerifyOptions;
  readonly #found = new FindingList();
  /** Of logs that are over: what a countersignature is read from may be closed then. */
  readonly #logs: LogReport[] = [];
  /** Of the log that is being given: by the mark of the process that wrote it, the empty text where there is none. */
  #lanes = new Map<string, LogCheck>();
  #lane = '';
  #countersigned: Iterator<string> | null = null;
  #splitter: LineSplitter;
  #place: Place = { file: null, order: 0, line: 0 };
  #firstSeqDue: number | null = null;
  #headSeen = false;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#splitter = this.#newSplitter();
  }

  begin(file: string, newLog: boolean, countersigned?: Iterator<string> | undefined): void {
    this.#endFile();
    if (newLog) this.#endLog();
    this.#countersigned = countersigned ?? (newLog ? null : this.#countersigned);
    const order = this.#place.line === 0 && this.#place.file === null ? 0 : this.#place.order + 1;
    this.#place = { file, order, line: 0 };
    this.#firstSeqDue = rotatedSeq(file);
    this.#splitter = this.#newSplitter();
    // so that a file in which nothing is has its say
    if (newLog) this.#check();
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  end(): AuditReport {
    this.#endFile();
    if (this.#logs.length === 0 && this.#lanes.size === 0) this.#check();
    this.#endLog();
    const logs = this.#logs;
    if (this.#options.expectHead !== undefined && !this.#headSeen)
      this.#found.add('cut_off', this.#place, null, 'no line has the expected head');
    const { findings, count } = this.#found;
    const anchored = this.#options.bundle !== null;
    return {
      ok: count === 0,
      ...summary(logs),
      anchored,
      logs,
      findings: inOrder(findings),
      findingCount: count,
    };
  }

  #newSplitter(): LineSplitter {
    return new LineSplitter(MAX_LINE_BYTES, (line) => this.#line(line));
  }

  #line(bytes: Buffer | null): void {
    this.#place = { ...this.#place, line: this.#place.line + 1 };
    const { expectHead } = this.#options;
    if (expectHead !== undefined && bytes !== null) this.#headSeen ||= hash('sha256', bytes) === expectHead;
    const text = bytes === null || !isUtf8(bytes) ? null : bytes.toString();
    const record = text === null ? null : readRecord(text);
    if (text === null || record === null) this.#check().noRecord(bytes, this.#place);
    else this.#record(text, record);
  }

  #record(text: string, record: AuditRecord): void {
    this.#judgeName(record);
    this.#lane = laneOf(record);
    const check = this.#check();
    const fresh = beginsAnother(record, check) ? this.#replace() : check;
    fresh.record(text, record, this.#place);
  }

  /** What the present lane belongs to. */
  #check(): LogCheck {
    return this.#lanes.get(this.#lane) ?? this.#replace();
  }

  #replace(): LogCheck {
    const old = this.#lanes.get(this.#lane);
    if (old !== undefined) this.#logs.push(old.report());
    const check = new LogCheck(this.#options, this.#found, this.#countersigned);
    // they are of one log alone
    this.#countersigned = null;
    this.#lanes.set(this.#lane, check);
    return check;
  }

  #judgeName({ seq }: AuditRecord): void {
    const due = this.#firstSeqDue;
    this.#firstSeqDue = null;
    if (due === null || due === seq) return;
    const message = `by its name it begins with record ${due}: it was renamed, or its beginning is gone`;
    this.#found.add('misnamed_file', this.#place, seq, message);
  }

  #endFile(): void {
    if (this.#splitter.rest === 0) return;
    const place = { ...this.#place, line: this.#place.line + 1 };
    this.#found.add('cut_off', place, null, 'the line has no end');
  }

  #endLog(): void {
    // what belongs to no process in particular is nothing when each process has its own
    const lanes = [...this.#lanes].filter(
      ([lane, log]) => lane !== '' || log.records > 0 || this.#lanes.size === 1,
    );
    this.#logs.push(...lanes.map(([, log]) => log.report()));
    this.#lanes = new Map();
    this.#lane = '';
  }
}

class FindingList implements Findings {
  readonly findings: (Finding & { readonly order: number })[] = [];
  count = 0;

  add(kind: Finding['kind'], { file, order, line }: Place, seq: number | null, message: string): void {
    this.count += 1;
    if (this.findings.length < MAX_FINDINGS) this.findings.push({ kind, file, line, seq, message, order });
  }

  further(count: number): void {
    this.count += count;
  }
}

function inOrder(findings: readonly (Finding & { readonly order: number })[]): Finding[] {
  return findings
    .toSorted((a, b) => a.order - b.order || a.line - b.line)
    .map(({ order: _, ...finding }) => finding);
}

/** Of several processes that write to one stream, each marks its lines. */
function laneOf({
  worker,
  pid,
}: AuditRecord & { readonly worker?: unknown; readonly pid?: unknown }): string {
  return typeof worker === 'number' && typeof pid === 'number' ? `${worker}/${pid}` : '';
}

/** A process that started anew in the same stream: a log with another name. One without a name stands there twice. */
function beginsAnother(
  { seq, prev, type, log }: AuditRecord & { readonly log?: unknown },
  check: LogCheck,
): boolean {
  const start = seq === 0 && prev === GENESIS && type === 'start' && typeof log === 'string';
  return start && check.records > 0 && check.log !== log;
}
