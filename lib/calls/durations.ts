import { DURATION_BOUNDS } from '../telemetry/index.ts';

const BOUNDS_MS: readonly number[] = DURATION_BOUNDS.map((seconds) => seconds * 1_000);
export const DURATION_COUNTS = BOUNDS_MS.length + 1;

/** The place of a duration among the counts. */
export function placeOf(ms: number): number {
  let at = 0;
  while (at < BOUNDS_MS.length && ms > BOUNDS_MS[at]!) at++;
  return at;
}

/**
 * The duration, in ms, that a `share` of those counted does not exceed, as far as the bounds tell; null where nothing was counted. What is
 * longer than the last bound is told as that.
 */
export function quantile(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  let left = total * share;
  for (const [i, bound] of BOUNDS_MS.entries()) {
    const n = counts[i] ?? 0;
    if (n > 0 && left <= n) {
      const from = BOUNDS_MS[i - 1] ?? 0;
      return rounded(from + ((bound - from) * left) / n);
    }
    left -= n;
  }
  return BOUNDS_MS.at(-1)!;
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
