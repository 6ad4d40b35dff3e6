/** What came of exchanges, by the hundreds of their status; `none`: cut before there was one. */
export const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
export type StatusClass = (typeof STATUS_CLASSES)[number];
export const EFFECTS = ['allow', 'deny', 'none'] as const;
export type Effect = (typeof EFFECTS)[number];

/** Stands for callers, or routes of a caller, that are too many to be told apart. */
export const OTHER = 'other';

/** The exchanges of one minute that are alike, as sidecars send them and brokers keep them. */
export type CallRow = {
  /** A SPIFFE ID, `anonymous` or `other`. */
  readonly caller: string;
  readonly method: string;
  /** A path without what names single things, or `other`. */
  readonly route: string;
  /** `none`: refused before they could be judged. */
  readonly effect: Effect;
  /** The rule that decided; empty where none did. */
  readonly rule: string;
  readonly status: StatusClass;
  readonly count: number;
  /** Of those, the allowed ones that broke off, were cut before an answer, or failed with 500 and above. */
  readonly errors: number;
  /** Of those, the ones for which a dry-run rule held. */
  readonly dry_run: number;
  /** Bytes of bodies, each way. */
  readonly received: number;
  readonly sent: number;
  /** By `DURATION_BOUNDS`, and one behind the last. */
  readonly durations: readonly number[];
};

/** One exchange as it was. */
export type CallSample = {
  readonly caller: string;
  readonly method: string;
  /** Without its query, and cut where it is long. */
  readonly path: string;
  readonly effect: Effect;
  /** The name of the decision in the audit; empty where there was none. */
  readonly decision: string;
  /** The code of an answer of the sidecar's own; empty for any other. */
  readonly code: string;
  readonly status: number | null;
  readonly ms: number;
};

/** What one process saw in one minute. */
export type CallMinute = {
  /** Minutes since 1970. */
  readonly minute: number;
  readonly rows: readonly CallRow[];
  readonly samples: readonly CallSample[];
};

/** What one message to the broker may hold: with the longest callers, a megabyte at most. */
export const MOST_ROWS = 256;
export const MOST_SAMPLES = 8;
export const LONGEST_ROUTE = 320;
export const LONGEST_PATH = 256;
