/** When an SVID was received, by the sidecar's clock, and when it ends. */
export type Lifetime = { readonly issuedAt: Date; readonly notAfter: Date };

/**
 * The instant to renew: half of what was left at issue, moved by at most a tenth of that half.
 *
 * Counted from `issuedAt` and not from the certificate's notBefore: Vault sets notBefore 30 s back, and with lifetimes of
 * seconds half-life would then lie in the past and every SVID would be renewed at once.
 *
 * `spread` lies in [-1, 1]. Draw it once per SVID, not once per check, or every poll is another chance to renew early.
 */
export function renewAt(lifetime: Lifetime, spread: number): Date {
  const issued = lifetime.issuedAt.getTime();
  const half = Math.max(0, lifetime.notAfter.getTime() - issued) / 2;
  const bounded = Math.max(-1, Math.min(1, spread));
  return new Date(issued + half * (1 + bounded / 10));
}

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
const MIN_DELAY_MS = 250;

/**
 * How long to wait before retry `attempt` (1 is the first retry), in ms: full jitter between `MIN_DELAY_MS` and an exponentially growing bound.
 * `random` lies in [0, 1).
 */
export function retryDelay(attempt: number, random: number): number {
  const bound = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(Math.max(attempt, 1) - 1, 16));
  return MIN_DELAY_MS + Math.floor(random * (bound - MIN_DELAY_MS));
}

export type Retry = {
  readonly now: Date;
  readonly notAfter: Date | null;
  /** 1 for the first retry. */
  readonly attempt: number;
  /** In [0, 1). */
  readonly random: number;
};

/**
 * When to try again after a failure. While there is an SVID, never later than halfway to its end (and in the last moment: at its end), so
 * that the last tries fall before expiry and not after it. With no SVID, or an expired one, plain `retryDelay`.
 */
export function nextAttempt(retry: Retry): Date {
  const now = retry.now.getTime();
  const left = retry.notAfter === null ? 0 : retry.notAfter.getTime() - now;
  const delay = retryDelay(retry.attempt, retry.random);
  if (left <= 0) return new Date(now + delay);
  const halfway = Math.min(left, Math.max(MIN_DELAY_MS, left / 2));
  return new Date(now + Math.max(1, Math.min(delay, Math.floor(halfway))));
}

/** `serving`: valid, nothing failed. `degraded`: valid, the renewal is failing. `expired`: nothing to serve with; answer 503. */
export type IdentityState = 'serving' | 'degraded' | 'expired';

/** `notAfter` is null before the first SVID. An SVID is expired at the very instant of its notAfter. */
export function identityState(identity: {
  readonly now: Date;
  readonly notAfter: Date | null;
  readonly failedAttempts: number;
}): IdentityState {
  const { now, notAfter, failedAttempts } = identity;
  if (notAfter === null || now.getTime() >= notAfter.getTime()) return 'expired';
  return failedAttempts > 0 ? 'degraded' : 'serving';
}
