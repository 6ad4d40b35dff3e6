import type { Problem } from '../http1/index.ts';

/** What became of one exchange. */
export type ExchangeEnd = {
  /** Of the answer; null when it was cut before there was one. */
  readonly status: number | null;
  /** Bytes of the request's body that came, and of the answer's that went, as they were framed. */
  readonly received: number;
  readonly sent: number;
  /** The answer was complete. */
  readonly whole: boolean;
};

/** Accompanies one exchange from its judgement on; made where somebody observes. */
export interface Watch {
  /** An answer of our own, as the caller gets it. */
  answered(problem: Problem): Problem;
  /** Told once that the exchange is over, in whatever way. `end` is good until the call returns. */
  ended(end: ExchangeEnd): void;
}

/** Counts one exchange for its watch. One object may serve many, one after the other; without a watch it does nothing. */
export class Tally implements ExchangeEnd {
  status: number | null = null;
  received = 0;
  sent = 0;
  whole = false;
  private watch: Watch | null = null;

  begin(watch: Watch | null): void {
    this.watch = watch;
    if (watch === null) return;
    this.status = null;
    this.received = 0;
    this.sent = 0;
  }

  /** What the caller is told instead of what it asked for. */
  answer(problem: Problem): Problem {
    if (this.watch === null) return problem;
    this.status = problem.status;
    return this.watch.answered(problem);
  }

  /** Only the first of an exchange counts. */
  end(whole: boolean): void {
    const { watch } = this;
    if (watch === null) return;
    this.watch = null;
    this.whole = whole;
    watch.ended(this);
  }
}
