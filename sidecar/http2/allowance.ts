import type { Ticker } from '../relay/index.ts';

const TICKS_PER_SECOND = 10;

/** Something that may be spent all at once, and comes back with time. */
export class Allowance {
  private readonly ticker: Ticker;
  private readonly most: number;
  private readonly perTick: number;
  private rest: number;
  private since: number;

  constructor(ticker: Ticker, { most, perSecond }: { readonly most: number; readonly perSecond: number }) {
    this.ticker = ticker;
    this.most = most;
    this.perTick = perSecond / TICKS_PER_SECOND;
    this.rest = most;
    this.since = ticker.now;
  }

  /** Below zero when more was spent than there was. */
  get left(): number {
    const { now } = this.ticker;
    if (now !== this.since) {
      this.rest = Math.min(this.most, this.rest + (now - this.since) * this.perTick);
      this.since = now;
    }
    return this.rest;
  }

  spend(amount: number): void {
    this.rest = this.left - amount;
  }

  earn(amount: number): void {
    this.rest = Math.min(this.most, this.left + amount);
  }
}
