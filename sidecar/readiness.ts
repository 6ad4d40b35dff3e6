import type { Log } from '../lib/adapter/log.ts';

export type ReadinessDeps = {
  readonly missing: () => readonly string[];
  readonly log: Log;
  /** Told at once, and whenever something else is missing. */
  readonly told?: (missing: readonly string[]) => void;
};

export interface Readiness extends Disposable {
  /** Looks now: whoever waits for us should not wait for the timer too. */
  look(): void;
}

const LOOK_MS = 100;

/** Logs when the sidecar becomes ready, and when it no longer is, with what is missing. */
export function watchReadiness({ missing, log, told = () => {} }: ReadinessDeps): Readiness {
  let was: string | null = null;
  const look = () => {
    const lacking = missing();
    const is = lacking.join();
    if (is === was) return;
    if (is === '') log.info('ready', { ms_since_start: Math.round(performance.now()) });
    else if (was === '') log.warn('not_ready', { missing: lacking });
    was = is;
    told(lacking);
  };
  const timer = setInterval(look, LOOK_MS).unref();
  look();
  return { look, [Symbol.dispose]: () => clearInterval(timer) };
}
