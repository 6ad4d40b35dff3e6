import type { Connection } from '../connection.ts';
import { createRateLimit, type RateLimit } from '../limits.ts';
import { Problem } from '../problem.ts';

/** Who may send how much at a time. An API server is one source, and speaks for every pod of its cluster. */
export interface Intake {
  readonly perSource: RateLimit;
  /**
   * Makes room for a body of `bytes`, before any of it is read; what it returns gives the room back.
   * @throws Problem `overloaded`, `rate_limited`
   */
  hold(connection: Pick<Connection, 'source'>, bytes: number): () => void;
}

/** Bytes of all bodies under way, and of those of one source: whoever fills his share leaves the others theirs. */
const MOST_BYTES = 64 * 1024 * 1024;
const MOST_BYTES_SOURCE = 16 * 1024 * 1024;
/** No more than any other route takes: for this there is always room, so that nobody who announces more keeps ordinary pods out. */
const ORDINARY_BYTES = 64 * 1024;
/** What one source may have looked through a second; five times as many at once. */
const BYTES_SECOND = 16 * 1024 * 1024;
/** What an API server may ask a second, by what others may: it has a bucket here that no other route of its own machine empties. */
const TIMES = 10;

/** `now` is in milliseconds and never goes back. */
export function createIntake(ratePerSource: number, now: () => number): Intake {
  const held = new Map<string, number>();
  const looked = createRateLimit(BYTES_SECOND, now);
  let all = 0;
  return {
    perSource: createRateLimit(ratePerSource * TIMES, now),
    hold({ source }, bytes) {
      looked.take(source, bytes);
      if (bytes <= ORDINARY_BYTES) return () => {};
      const own = held.get(source) ?? 0;
      if (all + bytes > MOST_BYTES || own + bytes > MOST_BYTES_SOURCE)
        throw new Problem('overloaded', { retryAfterSeconds: 1 });
      all += bytes;
      held.set(source, own + bytes);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        all -= bytes;
        const left = (held.get(source) ?? 0) - bytes;
        if (left > 0) held.set(source, left);
        else held.delete(source);
      };
    },
  };
}
