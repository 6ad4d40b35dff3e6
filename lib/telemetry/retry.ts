/** OTLP/HTTP, "Retryable Response Codes". */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** No collector is waited for longer than this, whatever it asks. */
const MOST_MS = 60_000;

export function isRetryable(status: number): boolean {
  return RETRYABLE.has(status);
}

/** What `Retry-After` asks for (RFC 9110 §10.2.3): seconds, or a date; null where it says nothing that can be understood. */
export function retryAfterMs(value: string | undefined, now: Date): number | null {
  if (value === undefined) return null;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now.getTime();
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), MOST_MS);
}
