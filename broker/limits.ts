import { isIPv6 } from 'node:net';
import { Problem } from './problem.ts';

/** A token bucket per key, in bounded memory: past `MOST_KEYS` the key that was quiet longest is forgotten, and begins full again. */
export interface RateLimit {
  /** @throws Problem `rate_limited`, with how long to stay away */
  take(key: string, cost?: number): void;
}

const BURST_SECONDS = 5;
const MOST_KEYS = 20_000;

/** `now` is in milliseconds and never goes back. */
export function createRateLimit(perSecond: number, now: () => number): RateLimit {
  const burst = perSecond * BURST_SECONDS;
  const buckets = new Map<string, { left: number; at: number }>();
  return {
    take(key, cost = 1) {
      const at = now();
      const bucket = buckets.get(key) ?? { left: burst, at };
      const left = Math.min(burst, bucket.left + ((at - bucket.at) * perSecond) / 1000);
      buckets.delete(key);
      if (buckets.size >= MOST_KEYS) buckets.delete(buckets.keys().next().value ?? '');
      buckets.set(key, { left: left < cost ? left : left - cost, at });
      if (left < cost) {
        throw new Problem('rate_limited', { retryAfterSeconds: Math.ceil((cost - left) / perSecond) });
      }
    },
  };
}

/** Counts what is under way, and refuses beyond `most`. */
export function createGate(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let underWay = 0;
  return async (work) => {
    if (underWay >= most) throw new Problem('overloaded', { retryAfterSeconds: 1 });
    underWay++;
    try {
      return await work();
    } finally {
      underWay--;
    }
  };
}

/** An address as a socket tells it, in its one form. */
export function addressOf(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

/** Whom a limit counts as one: an IPv4 address, or the /64 that one IPv6 host has to itself. */
export function sourceOf(address: string | undefined): string {
  const plain = addressOf(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const front = head.split(':').filter(Boolean);
  const back = tail?.split(':').filter(Boolean) ?? [];
  const zeros = Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0');
  const groups = [...front, ...(tail === undefined ? [] : zeros), ...back];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
