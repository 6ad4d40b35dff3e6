import type { Place } from './report.ts';
import { GENESIS } from './seal.ts';

export type SequenceFlaw = {
  readonly kind: 'edited' | 'dropped' | 'reordered' | 'duplicated' | 'foreign' | 'missing_file';
  readonly place: Place;
  readonly seq: number | null;
  readonly message: string;
};

/** Missing numbers `from` to `to`, found missing at `place`, which begins a file or not. */
type Gap = { from: number; to: number; readonly place: Place; readonly atFileStart: boolean };

/** A record that stands where it does not belong: those around it link to each other past it. */
type Stray = {
  readonly place: Place;
  readonly seq: number;
  readonly hash: string;
  placeOfOrigin: Place | null;
};

/** As many as a report names; of more, only their number matters. */
const MAX_NAMED = 100;

/**
 * Follows numbers and hashes from line to line and tells what happened to the order: a record that is missing at first and turns up
 * later was moved, one that never turns up was dropped, one that nothing links to is of another log.
 */
export class Sequence {
  #next = 0;
  /** The hash that the next record must hold; null after a line that was none, whose true hash nobody knows. */
  #hash: string | null = GENESIS;
  #last: Place | null = null;
  #lastSeq: number | null = null;
  #unreadable = false;
  #gaps: Gap[] = [];
  readonly #strays: Stray[] = [];
  /** How things stood before the last record, if that one came out of order. */
  #before: { readonly next: number; readonly hash: string | null; readonly gaps: Gap[] } | null = null;
  #lost = 0;

  /** The number that comes next. */
  get next(): number {
    return this.#next;
  }

  /** Begins in the middle: whether what came before is missing is for others to say. */
  startAt(seq: number): void {
    this.#next = seq;
    this.#hash = null;
  }

  /** What was out of place, and gaps that were never filled; call once, at the end. */
  rest(): SequenceFlaw[] {
    return [...this.#gaps.map(gapFlaw), ...this.#strays.map(strayFlaw)];
  }

  /** Flaws beyond those that `rest` names. */
  get further(): number {
    return this.#lost;
  }

  /** A line that is no record: it may stand for the next one. */
  skip(place: Place): void {
    this.#unreadable = true;
    this.#last = place;
    this.#lastSeq = null;
    this.#before = null;
  }

  /** The record at hand says that the numbers from `from` on, up to its own, never came here: they are no gap. @returns how many */
  admit(from: number, seq: number): number {
    const admitted = seq - from;
    if (from > this.#next) this.#open({ from: this.#next, to: from - 1 });
    this.#next = seq;
    this.#hash = null;
    return admitted;
  }

  /** A record at `place`; null when it follows the one before. `inOrder` says whether it advanced the sequence. */
  follow(
    seq: number,
    prev: string,
    ownHash: string,
    place: Place,
    atFileStart: boolean,
  ): { flaw: SequenceFlaw | null; inOrder: boolean } {
    this.#at = { place, atFileStart };
    if (seq < this.#next && !this.#steppedBack(seq, prev))
      return { flaw: this.#earlier(seq, place), inOrder: false };
    const flaw = seq === this.#next ? this.#checkHash(prev) : this.#skipTo(seq, prev);
    this.#next = seq + 1;
    this.#hash = ownHash;
    this.#last = place;
    this.#lastSeq = seq;
    this.#unreadable = false;
    return { flaw, inOrder: true };
  }

  #at: { place: Place; atFileStart: boolean } = {
    place: { file: null, order: 0, line: 0 },
    atFileStart: false,
  };

  #checkHash(prev: string): SequenceFlaw | null {
    this.#before = null;
    if (prev === this.#hash || this.#hash === null) return null;
    const first = this.#last === null;
    return {
      kind: 'edited',
      place: this.#last ?? this.#at.place,
      seq: this.#lastSeq,
      message: first
        ? 'the first record does not begin a chain'
        : 'the next record holds another hash for it',
    };
  }

  #skipTo(seq: number, prev: string): null {
    this.#before = { next: this.#next, hash: this.#hash, gaps: [...this.#gaps] };
    // The unreadable line was one of the missing records, and has its finding already.
    const from = this.#unreadable ? this.#next + 1 : this.#next;
    if (from >= seq) return null;
    const moved = this.#strays.find((stray) => from === seq - 1 && stray.seq === from && stray.hash === prev);
    if (moved !== undefined) moved.placeOfOrigin = this.#at.place;
    else this.#open({ from, to: seq - 1 });
    return null;
  }

  #open({ from, to }: { readonly from: number; readonly to: number }): void {
    if (this.#gaps.length < MAX_NAMED) this.#gaps.push({ from, to, ...this.#at });
    else this.#lost += 1;
  }

  /** Whether this record follows the one before the last: then the last does not belong between them. */
  #steppedBack(seq: number, prev: string): boolean {
    const before = this.#before;
    const linked = before?.next === seq && (before.hash === null || before.hash === prev);
    if (before === null || !linked || this.#last === null || this.#lastSeq === null) return false;
    if (this.#strays.length < MAX_NAMED) {
      const stray = { place: this.#last, seq: this.#lastSeq, hash: this.#hash ?? '', placeOfOrigin: null };
      this.#strays.push(stray);
    } else this.#lost += 1;
    this.#gaps = before.gaps;
    this.#next = before.next;
    this.#hash = before.hash;
    this.#before = null;
    return true;
  }

  #earlier(seq: number, place: Place): SequenceFlaw {
    this.#before = null;
    const gap = this.#gaps.find(({ from, to }) => from <= seq && seq <= to);
    if (gap === undefined)
      return { kind: 'duplicated', place, seq, message: `a record ${seq} stands before it already` };
    this.#gaps = this.#gaps.flatMap((g) => (g === gap ? without(g, seq) : [g]));
    return { kind: 'reordered', place, seq, message: `record ${seq} belongs before ${placeText(gap.place)}` };
  }
}

function gapFlaw({ from, to, place, atFileStart }: Gap): SequenceFlaw {
  const which = from === to ? `record ${from} is` : `records ${from} to ${to} are`;
  return atFileStart
    ? {
        kind: 'missing_file',
        place,
        seq: to + 1,
        message: `a file is missing before this one: ${which} not here`,
      }
    : { kind: 'dropped', place, seq: to + 1, message: `${which} missing before it` };
}

function strayFlaw({ place, seq, placeOfOrigin }: Stray): SequenceFlaw {
  return placeOfOrigin === null
    ? {
        kind: 'foreign',
        place,
        seq,
        message: 'it is no part of this log: the records around it follow each other',
      }
    : { kind: 'reordered', place, seq, message: `record ${seq} belongs before ${placeText(placeOfOrigin)}` };
}

function placeText({ file, line }: Place): string {
  return file === null ? `line ${line}` : `line ${line} of ${file}`;
}

function without(gap: Gap, seq: number): Gap[] {
  const parts = [
    { ...gap, to: seq - 1 },
    { ...gap, from: seq + 1 },
  ];
  return parts.filter(({ from, to }) => from <= to);
}
