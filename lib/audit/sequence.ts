import { GENESIS } from './seal.ts';

export type SequenceFlaw = {
  readonly kind: 'edited' | 'dropped' | 'reordered' | 'duplicated';
  readonly line: number;
  readonly message: string;
};

/** Missing numbers `from` to `to`, found missing at `line`. */
type Gap = { from: number; to: number; readonly line: number };

/** As many as a report names; of more, only their number matters. */
const MAX_GAPS = 100;

/**
 * Follows numbers and hashes from line to line and tells what happened to the order: a record that is missing at first and turns up
 * later was moved, one that never turns up was dropped.
 */
export class Sequence {
  #next = 0;
  /** The hash that the next record must hold; null after a line that was none, whose true hash nobody knows. */
  #hash: string | null = GENESIS;
  #lastLine = 0;
  #unreadable = false;
  #gaps: Gap[] = [];
  #lost = 0;

  /** Gaps that were never filled, as findings; call once, at the end. */
  dropped(): SequenceFlaw[] {
    return this.#gaps.map(({ from, to, line }) => ({
      kind: 'dropped',
      line,
      message:
        from === to
          ? `record ${from} is missing before it`
          : `records ${from} to ${to} are missing before it`,
    }));
  }

  /** Gaps beyond those that `dropped` names. */
  get furtherGaps(): number {
    return this.#lost;
  }

  /** A line that is no record: it may stand for the next one. */
  skip(line: number): void {
    this.#unreadable = true;
    this.#lastLine = line;
  }

  /** A record at `line`; null when it follows the one before. `inOrder` says whether it advanced the sequence. */
  follow(
    seq: number,
    prev: string,
    ownHash: string,
    line: number,
  ): { flaw: SequenceFlaw | null; inOrder: boolean } {
    if (seq < this.#next) return { flaw: this.#earlier(seq, line), inOrder: false };
    const flaw = seq === this.#next ? this.#checkHash(prev) : this.#skipTo(seq, line);
    this.#next = seq + 1;
    this.#hash = ownHash;
    this.#lastLine = line;
    this.#unreadable = false;
    return { flaw, inOrder: true };
  }

  #checkHash(prev: string): SequenceFlaw | null {
    if (prev === this.#hash) return null;
    const line = Math.max(this.#lastLine, 1);
    const message =
      this.#lastLine === 0
        ? 'the first record does not begin a chain'
        : 'the next record holds another hash for it';
    return { kind: 'edited', line, message };
  }

  #skipTo(seq: number, line: number): null {
    // The unreadable line was one of the missing records, and has its finding already.
    const from = this.#unreadable ? this.#next + 1 : this.#next;
    if (from < seq) {
      if (this.#gaps.length < MAX_GAPS) this.#gaps.push({ from, to: seq - 1, line });
      else this.#lost += 1;
    }
    return null;
  }

  #earlier(seq: number, line: number): SequenceFlaw {
    const gap = this.#gaps.find(({ from, to }) => from <= seq && seq <= to);
    if (gap === undefined)
      return { kind: 'duplicated', line, message: `record ${seq} stands in the file before` };
    this.#gaps = this.#gaps.flatMap((g) => (g === gap ? without(g, seq) : [g]));
    return { kind: 'reordered', line, message: `record ${seq} belongs before line ${gap.line}` };
  }
}

function without(gap: Gap, seq: number): Gap[] {
  const parts = [
    { ...gap, to: seq - 1 },
    { ...gap, from: seq + 1 },
  ];
  return parts.filter(({ from, to }) => from <= to);
}
