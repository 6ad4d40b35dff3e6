import type { Log } from '../lib/adapter/log.ts';
import type { Credentials } from './identity/credentials.ts';

const LOOK_MS = 100;

/** Logs when the sidecar becomes ready, and when it no longer is, with what is missing. */
export function watchReadiness(
  credentials: Credentials,
  missing: () => readonly string[],
  log: Log,
): Disposable {
  let was: string | null = null;
  const look = () => {
    const lacking = missing();
    const is = lacking.join();
    if (is === was) return;
    if (is === '') log.info('ready', { ms_since_start: Math.round(performance.now()) });
    else if (was === '') log.warn('not_ready', { missing: lacking });
    was = is;
  };
  const timer = setInterval(look, LOOK_MS).unref();
  // The usual last piece is the SVID; whoever waits for us should not wait for the timer too.
  const unsubscribe = credentials.subscribe(() => setImmediate(look));
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      unsubscribe();
    },
  };
}
