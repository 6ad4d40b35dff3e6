import { setTimeout as sleep } from 'node:timers/promises';

/** What an answer says that asks for another try: 429 or 503. */
export interface Busy {
  /** Milliseconds, from `Retry-After`. */
  readonly after?: number;
}

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Whether this failure is worth another try; a refusal is not. */
  isBusy(error: unknown): Busy | undefined;
  readonly attempts?: number;
  /** Milliseconds: the first wait, doubled with each try up to the longest; what the other side asks for is kept to, up to the longest. */
  readonly first?: number;
  readonly longest?: number;
  readonly random?: () => number;
}

/**
 * The answer of the first try that does not find the other side busy. Waits are drawn between half and the whole of their bound, so that many
 * runs do not come back together. The last failure is thrown as it is; an abort ends the wait at once, with the signal's reason.
 */
export async function whileBusy<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, isBusy, attempts = 8, first = 250, longest = 15_000, random = Math.random } = options;
  for (let tried = 1; ; tried += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const busy = isBusy(error);
      if (busy === undefined || tried >= attempts || signal.aborted) throw error;
      const bound = Math.min(longest, first * 2 ** (tried - 1));
      const drawn = bound * (0.5 + random() / 2);
      const asked = Math.min(longest, Math.max(0, busy.after ?? 0));
      await waited(Math.max(drawn, asked), signal);
    }
  }
}

async function waited(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
