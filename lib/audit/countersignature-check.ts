import {
  type Countersignature,
  type Countersigners,
  isCountersignedBy,
  readCountersignature,
} from './countersignature.ts';
import type { Findings } from './log-check.ts';
import type { LogReport, Place } from './report.ts';

/**
 * Holds a log against what was countersigned of it, in step with it: both are in the order of their numbers, so one of each is in memory.
 * Without keys a countersignature is worth as much as the file that it stands in: it can only contradict.
 */
export class CountersignatureCheck {
  readonly #keys: Countersigners | null;
  readonly #lines: Iterator<string> | null;
  readonly #findings: Findings;
  #next: Countersignature | null = null;
  #count = 0;
  #last: { readonly seq: number; readonly time: string } | null = null;
  /** Set when a line could not be read or believed: told once. */
  #flaw: string | null = null;

  constructor(keys: Countersigners | null, lines: Iterator<string> | null, findings: Findings) {
    this.#keys = keys;
    this.#lines = lines;
    this.#findings = findings;
    this.#advance();
  }

  /** The log begins here: of what came before, nothing is known. */
  startAt(seq: number): void {
    this.skipTo(seq);
  }

  /** Records before this one are not here, for a reason that is known. */
  skipTo(seq: number): void {
    while (this.#next !== null && this.#next.seq < seq) this.#advance();
  }

  /** A record in its place. */
  record(seq: number, ownHash: string, place: Place): void {
    if (this.#flaw !== null) this.#tellFlaw(place);
    while (this.#next !== null && this.#next.seq <= seq) {
      const { seq: stated, hash, time } = this.#next;
      if (stated < seq)
        this.#add(place, `record ${stated} was countersigned at ${time}, and is not where it belongs`);
      else if (hash !== ownHash)
        this.#add(place, `another record ${seq} was countersigned at ${time}: this one was written later`);
      else {
        this.#count += 1;
        this.#last = { seq, time };
      }
      this.#advance();
    }
  }

  end(place: Place): LogReport['countersigned'] {
    if (this.#flaw !== null) this.#tellFlaw(place);
    let last: Countersignature | null = null;
    while (this.#next !== null) {
      last = this.#next;
      this.#advance();
    }
    if (last !== null) {
      const message = `the log was countersigned up to record ${last.seq} at ${last.time}, and ends before it`;
      this.#findings.add('cut_off', place, null, message);
    }
    return this.#last === null || this.#keys === null ? null : { ...this.#last, count: this.#count };
  }

  #advance(): void {
    const last = this.#next?.seq ?? -1;
    this.#next = null;
    while (this.#next === null) {
      const { value, done } = this.#lines?.next() ?? { done: true, value: '' };
      if (done === true) return;
      this.#next = this.#read(value, last);
    }
  }

  /** Null, with a flaw, for one that says nothing. */
  #read(line: string, last: number): Countersignature | null {
    const read = readCountersignature(line);
    const flaw =
      read === null
        ? 'a line among the countersignatures is none'
        : this.#keys !== null && !isCountersignedBy(this.#keys, read)
          ? `the countersignature of record ${read.seq} is of none of the keys`
          : read.seq <= last
            ? `the countersignature of record ${read.seq} is out of order`
            : null;
    if (flaw === null) return read;
    this.#flaw ??= flaw;
    return null;
  }

  #tellFlaw(place: Place): void {
    this.#add(place, this.#flaw ?? '');
    this.#flaw = null;
  }

  #add(place: Place, message: string): void {
    this.#findings.add('bad_countersignature', place, null, message);
  }
}
