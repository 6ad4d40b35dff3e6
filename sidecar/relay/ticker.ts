export const TICK_MS = 100;
/** A small integer, which V8 keeps in the object; it is over three years away. */
export const NEVER = 0x3fffffff;

/**
 * A coarse clock for deadlines. Arming one is storing a number; one timer per listener looks through all of them, where a timer per
 * connection would cost more than the scan of a head.
 */
export class Ticker {
  /** Ticks since the start. */
  now = 0;
  private readonly sweeps = new Set<() => void>();
  private readonly timer: NodeJS.Timeout;

  constructor() {
    this.timer = setInterval(() => {
      this.now++;
      for (const sweep of this.sweeps) sweep();
    }, TICK_MS);
    this.timer.unref();
  }

  /** The tick by which `ms` have passed, never sooner; 0 and infinity are never. */
  in(ms: number): number {
    return ms === 0 || ms === Number.POSITIVE_INFINITY ? NEVER : this.now + Math.ceil(ms / TICK_MS) + 1;
  }

  /** Milliseconds until `tick`, 0 when it has come. */
  until(tick: number): number {
    return Math.max(0, tick - this.now) * TICK_MS;
  }

  each(sweep: () => void): void {
    this.sweeps.add(sweep);
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
    this.sweeps.clear();
  }
}
