import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { MachineClock } from './server-clock.ts';

/**
 * An instant held by both clocks: it has come as soon as either says so. The wall clock may be set back, the other one stands still
 * while a machine sleeps; neither must make an SVID live longer.
 */
export type Deadline = { readonly wall: number; readonly monotonic: number };

/** A clock that jumps is noticed within this time. */
const LONGEST_SLEEP_MS = 5_000;

export function deadlineAt(instant: Date, clock: MachineClock): Deadline {
  const wall = instant.getTime();
  return { wall, monotonic: clock.monotonic() + wall - clock.now().getTime() };
}

/** Milliseconds to go, 0 when it has come. */
export function remaining(deadline: Deadline, clock: MachineClock): number {
  return Math.max(0, Math.min(deadline.wall - clock.now().getTime(), deadline.monotonic - clock.monotonic()));
}

/** Waits for the deadline, less if the signal fires. */
export async function sleepUntil(
  deadline: Deadline,
  clock: MachineClock,
  signal: AbortSignal,
): Promise<void> {
  for (
    let left = remaining(deadline, clock);
    left > 0 && !signal.aborted;
    left = remaining(deadline, clock)
  ) {
    await sleep(Math.min(left, LONGEST_SLEEP_MS), signal);
  }
}
