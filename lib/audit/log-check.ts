import { hash } from 'node:crypto';
import { CHECKPOINT_INTERVAL_MS, CHECKPOINT_RECORDS } from './chain.ts';
import { CountersignatureCheck } from './countersignature-check.ts';
import type { AuditRecord } from './record.ts';
import type { FindingKind, LogReport, Place, Range } from './report.ts';
import { readSeal } from './seal.ts';
import { Sequence } from './sequence.ts';
import type { VerifyOptions } from './verify.ts';

/** Told of everything that is wrong, where it is met; `further`: of so much more that has no place. */
export type Findings = {
  add(kind: FindingKind, place: Place, seq: number | null, message: string): void;
  further(count: number): void;
};

/** A timer may fire late and a signature may wait for a new SVID, but not for long. */
const UNSIGNED_MAX_MS = 2 * CHECKPOINT_INTERVAL_MS;
const MAX_ADMITTED = 100;
const NOWHERE: Place = { file: null, order: 0, line: 1 };

/** A line that is no record, until the next one says whether a crash explains it. */
type Fragment = { readonly place: Place; readonly bytes: number; readonly sha256: string };

/** Verifies one log, line by line, in constant memory. */
export class LogCheck {
  /** The name that it gave itself. */
  log: string | null = null;
  records = 0;
  readonly #options: VerifyOptions;
  readonly #findings: Findings;
  readonly #sequence = new Sequence();
  readonly #countersignatures: CountersignatureCheck;
  readonly #signers = new Set<string>();
  #signed = 0;
  #recovered = 0;
  #fragment: Fragment | null = null;
  #head: string | null = null;
  #lastPlace: Place = NOWHERE;
  #lastSigned: number | null = null;
  #end: LogReport['end'] = 'open';
  readonly #admitted: Range[] = [];
  #admittedRecords = 0;
  /** Where it begins, if that is not with its first record. */
  #beginning: { readonly record: AuditRecord; readonly place: Place } | null = null;
  #removedUpTo = -1;
  /** As records say that nobody has vouched for yet: anyone may have written them. */
  #removedUnsigned = -1;
  #fileOrder = -1;
  /** Since the last signed record: how many, from which line and time on, until which time. */
  #tail: { records: number; place: Place | null; from: number; to: number } = emptyTail();

  constructor(options: VerifyOptions, findings: Findings, countersigned: Iterator<string> | null) {
    this.#options = options;
    this.#findings = findings;
    this.#countersignatures = new CountersignatureCheck(
      options.countersigners ?? null,
      countersigned,
      findings,
    );
  }

  /** A line that is no record; null for one longer than any. */
  noRecord(bytes: Buffer | null, place: Place): void {
    this.#settleFragment(null, place);
    this.#sawLine(hash('sha256', bytes ?? Buffer.alloc(0)), place, bytes !== null);
    this.#fragment = { place, bytes: bytes?.length ?? -1, sha256: this.#head ?? '' };
  }

  record(text: string, record: AuditRecord, place: Place): void {
    const { seq, prev, type } = record;
    this.#settleFragment(record, place);
    const ownHash = hash('sha256', text);
    this.#sawLine(ownHash, place, true);
    const atFileStart = place.order !== this.#fileOrder && this.#fileOrder !== -1;
    this.#fileOrder = place.order;
    if (this.records === 0) this.#begin(record, place);
    this.records += 1;
    if (this.log === null && typeof record['log'] === 'string') this.log = record['log'];
    if (type === 'dropped') this.#admit(record);
    const { flaw, inOrder } = this.#sequence.follow(seq, prev, ownHash, place, atFileStart);
    if (flaw !== null) this.#findings.add(flaw.kind, flaw.place, flaw.seq, flaw.message);
    if (!inOrder) return;
    this.#countersignatures.record(seq, ownHash, place);
    this.#count(text, record, place);
  }

  /** To be called once. */
  report(): LogReport {
    this.#settleFragment(null, this.#lastPlace);
    this.#judgeBeginning();
    for (const { kind, place, seq, message } of this.#sequence.rest())
      this.#findings.add(kind, place, seq, message);
    this.#findings.further(this.#sequence.further);
    this.#judgeEnd();
    return {
      log: this.log,
      records: this.records,
      signed: this.#signed,
      signers: [...this.#signers],
      end: this.#end,
      lastSigned: this.#lastSigned,
      unsignedTail: this.#tail.records,
      recovered: this.#recovered,
      admitted: this.#admitted,
      admittedRecords: this.#admittedRecords,
      removed: this.#removed,
      countersigned: this.#countersignatures.end(this.#lastPlace),
      head: this.#head,
    };
  }

  #sawLine(ownHash: string, place: Place, whole: boolean): void {
    this.#lastPlace = place;
    if (whole) this.#head = ownHash;
  }

  #begin(record: AuditRecord, place: Place): void {
    const goesOn = record.prev === this.#options.after;
    if (record.seq === 0 && !goesOn) return;
    // a crash may have cut off the very first line of a file
    if (record.type !== 'continued' && record.type !== 'recovered' && !goesOn) return;
    this.#sequence.startAt(record.seq);
    this.#countersignatures.startAt(record.seq);
    if (!goesOn) this.#beginning = { record, place };
  }

  get #removed(): number {
    const seq = this.#beginning?.record.seq ?? 0;
    return this.#removedUpTo >= seq - 1 ? seq : 0;
  }

  /** What came before the first record that is here: its files were deleted by the bound that was set, or are missing. */
  #judgeBeginning(): void {
    if (this.#beginning === null || this.#removed > 0) return;
    const { record, place } = this.#beginning;
    const message = `the log goes on here: records 0 to ${record.seq - 1} are in files that are not here`;
    this.#findings.add('missing_file', place, record.seq, message);
  }

  /** A record that says which records right before it never came here; it speaks of others too, which then are here. */
  #admit({ seq, from, to }: AuditRecord & { readonly from?: unknown; readonly to?: unknown }): void {
    const { next } = this.#sequence;
    if (typeof from !== 'number' || to !== seq - 1 || seq <= next || from < next || this.#options.complete)
      return;
    this.#admittedRecords += this.#sequence.admit(from, seq);
    this.#countersignatures.skipTo(seq);
    if (this.#admitted.length < MAX_ADMITTED) this.#admitted.push({ from, to: seq - 1 });
  }

  /** The line before was no record: a crash explains it if `record` says so, else it is a finding. */
  #settleFragment(record: AuditRecord | null, place: Place): void {
    const fragment = this.#fragment;
    const claimed =
      record?.type === 'recovered' ? (record['fragment'] as Partial<Fragment> | undefined) : undefined;
    this.#fragment = null;
    const explained =
      fragment !== null && fragment.sha256 === claimed?.sha256 && fragment.bytes === claimed.bytes;
    if (explained) this.#recovered += 1;
    else if (fragment !== null) {
      this.#sequence.skip(fragment.place);
      const message = fragment.bytes < 0 ? 'longer than any record' : 'not a record';
      this.#findings.add('edited', fragment.place, null, message);
    } else if (claimed !== undefined) {
      const message = 'the cut-off line that it speaks of is missing before it';
      this.#findings.add('dropped', place, record?.seq ?? null, message);
    }
  }

  #count(text: string, record: AuditRecord, place: Place): void {
    const { seq, type } = record;
    const sealed = record.sig !== undefined && this.#checkSeal(text, record, place);
    this.#end = sealed && type === 'stop' ? 'closed' : sealed && type === 'rotated' ? 'rotated' : 'open';
    if ((type === 'checkpoint' || type === 'rotated') && record.sig === undefined) {
      this.#findings.add('bad_signature', place, seq, `a record of type ${type} without a signature`);
    }
    if (type === 'removed' && typeof record['to'] === 'number')
      this.#removedUnsigned = Math.max(this.#removedUnsigned, record['to']);
    if (sealed) {
      this.#removedUpTo = this.#removedUnsigned;
      this.#signed += 1;
      this.#lastSigned = seq;
      this.#tail = emptyTail();
      return;
    }
    const time = Date.parse(record.time);
    if (this.#tail.records === 0) this.#tail = { ...this.#tail, place, from: time };
    this.#tail.records += 1;
    this.#tail.to = time;
  }

  #checkSeal(text: string, record: AuditRecord, place: Place): boolean {
    const { id, flaw, detail } = readSeal(text, record, this.#options.bundle);
    if (id === null) {
      const what = flaw === 'signature' ? 'bad_signature' : 'bad_certificate';
      const from = this.#tail.place ?? place;
      const lines =
        from.order === place.order ? `lines ${from.line} to ${place.line}` : 'the lines before it';
      this.#findings.add(what, place, record.seq, `${detail}; it does not vouch for ${lines}`);
      return false;
    }
    const expected = this.#options.expectId?.toString() ?? [...this.#signers][0] ?? id.toString();
    this.#signers.add(id.toString());
    if (id.toString() === expected) return true;
    this.#findings.add('signer_changed', place, record.seq, `signed by ${id}, not ${expected}`);
    return false;
  }

  #judgeEnd(): void {
    const { records, place, from, to } = this.#tail;
    if (this.records === 0) this.#findings.add('empty', { ...this.#lastPlace, line: 1 }, null, 'no record');
    else if (this.#signed === 0) {
      const first = { ...this.#lastPlace, line: 1 };
      const message = 'no record is signed, so anyone may have written them';
      this.#findings.add('unsigned', first, null, message);
    } else if (records > CHECKPOINT_RECORDS || to - from > UNSIGNED_MAX_MS) {
      const message = `the last ${records} records are not signed, and should be`;
      this.#findings.add('unsigned', place ?? this.#lastPlace, null, message);
    }
  }
}

function emptyTail() {
  return { records: 0, place: null, from: 0, to: 0 };
}
