import type { User } from '../token/index.ts';
import type { Caller } from './caller.ts';
import type { UNREADABLE } from './query.ts';

export type { User };

/** How unusual a request is, 0 to 100, and why. */
export type Risk = { readonly score: number; readonly reasons: readonly RiskReason[] };
export type RiskReason = { readonly input: string; readonly points: number; readonly detail: string };

export const NO_RISK: Risk = Object.freeze({ score: 0, reasons: Object.freeze([]) as readonly RiskReason[] });

/** What policy may ask of a request beside caller, method and path. Only rules that need an answer ask. */
export interface Facts {
  readonly now: Date;
  /** Lower case, with its port if it has one. */
  readonly host: string;
  /** Without `?`; empty when there is none. */
  readonly query: string;
  readonly protocol: 'http/1.0' | 'http/1.1' | 'h2' | 'websocket' | 'tcp';
  /** Bytes of the body as announced; null when the request does not say. */
  readonly size: number | null;
  /** The IP address of the other end of the connection; null when that is gone. */
  readonly source: string | null;
  /** It came by the listener for clients without an SVID. */
  readonly edge: boolean;
  readonly user: User | null;
  /** Who started what led to this request, then each service it passed, the caller left out; only the first can be `anonymous`. Empty: the caller started it. */
  readonly chain: readonly Caller[];
  readonly risk: Risk;
  /** `risk`, if somebody has asked for it; otherwise null or nothing. */
  readonly assessed?: Risk | null;
  /**
   * The value of a header by its name in lower case; null when there is none. Of several lines each, and all joined by `, `: apps read the
   * first, the last or both. `UNREADABLE`: some apps read another name as this one.
   */
  header(name: string): string | readonly string[] | typeof UNREADABLE | null;
}
