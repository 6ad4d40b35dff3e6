import { setTimeout as wait } from 'node:timers/promises';

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits `ms` milliseconds, less if `signal` fires; never throws for the signal: look at `signal.aborted` after it. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    let left = ms;
    do {
      await wait(Math.min(left, LONGEST_TIMER_MS), undefined, signal === undefined ? {} : { signal });
      left -= LONGEST_TIMER_MS;
    } while (left > 0);
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/**
 * A signal that fires on the first SIGTERM or SIGINT; a second one ends the process at once with the shell's code (128 + n).
 * Call once, from a `main.ts`.
 */
export function untilStopped(): AbortSignal {
  const controller = new AbortController();
  const codes = { SIGTERM: 143, SIGINT: 130 } as const;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(codes[name]);
      controller.abort(name);
    });
  }
  return controller.signal;
}
