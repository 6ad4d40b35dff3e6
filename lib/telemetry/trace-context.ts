/** Where in which trace a request stands: W3C Trace Context, level 1. */
export type TraceContext = {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** The span that asks: 16 hex digits, not all zero. */
  readonly spanId: string;
  /** Whoever asks records it. */
  readonly sampled: boolean;
};

const LENGTH = 55;
const DASH = '-';
const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const SAMPLED = 1;
/** Hex digits of a trace id that count for sampling: as many as a number holds exactly. */
const DRAWN_DIGITS = 13;

/**
 * Reads `traceparent` (§3.2). A higher version may have more behind its flags, which is left alone (§3.2.4); of its flags only the one that is
 * known counts. Null: it is none, and a new trace is to be begun.
 */
export function parseTraceParent(text: string): TraceContext | null {
  const [, version, traceId, spanId, flags] = FORM.exec(text.slice(0, LENGTH)) ?? [];
  if (version === undefined || version === 'ff') return null;
  if (text.length > LENGTH && (version === '00' || text[LENGTH] !== DASH)) return null;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId: traceId!, spanId: spanId!, sampled: (Number.parseInt(flags!, 16) & SAMPLED) !== 0 };
}

/** In version 00, the highest that we know (§4.3). */
export function formatTraceParent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** Whether a new trace is recorded, of which a `share` shall be: the same trace is judged alike wherever the share is the same. */
export function isSampledBy(share: number, traceId: string): boolean {
  return Number.parseInt(traceId.slice(-DRAWN_DIGITS), 16) < share * 16 ** DRAWN_DIGITS;
}
