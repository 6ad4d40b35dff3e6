/** Two clocks of this machine: the wall's, which may be wrong and may jump, and one that only counts. */
export interface MachineClock {
  now(): Date;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number;
}

export const machineClock: MachineClock = { now: () => new Date(), monotonic: () => performance.now() };

/** The broker's clock as seen from here. What the broker dates is judged by its clock, so that a wrong one here does no harm. */
export interface ServerClock {
  /** Notes what the broker's clock said in an answer to a request sent at `sentAt` (monotonic). */
  observe(serverTime: Date, sentAt: number): void;
  /** The broker's time now, or this machine's before the first observation. */
  now(): Date;
  /** How far this machine's clock is ahead of the broker's; negative when behind. Null before the first observation. */
  readonly skewMs: number | null;
}

export function createServerClock(clock: MachineClock): ServerClock {
  let last: { readonly server: number; readonly at: number; readonly skewMs: number } | null = null;
  return {
    observe(serverTime, sentAt) {
      // The answer was written somewhere between sending and receiving: half of that is the best guess.
      const received = clock.monotonic();
      const server = serverTime.getTime() + (received - sentAt) / 2;
      last = { server, at: received, skewMs: Math.round(clock.now().getTime() - server) };
    },
    now: () => (last === null ? clock.now() : new Date(last.server + clock.monotonic() - last.at)),
    get skewMs() {
      return last?.skewMs ?? null;
    },
  };
}
