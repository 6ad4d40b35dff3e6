import { SignetError } from '../../lib/errors.ts';

/** Every way not to get an SVID; docs/sidecar.md says what to do about each. */
export const ACQUIRE_ERROR_CODES = [
  'EVIDENCE_UNAVAILABLE',
  'JOIN_CODE_SPENT',
  'BROKER_UNREACHABLE',
  'BROKER_UNTRUSTED',
  'BROKER_UNAVAILABLE',
  'BROKER_REFUSED',
  'BROKER_ANSWER',
  'CLOCK_AHEAD',
  'CLOCK_BEHIND',
  'GRANT_EXPIRED',
  'GRANT_FOREIGN',
  'GRANT_STOLEN',
  'VAULT_UNREACHABLE',
  'VAULT_UNAVAILABLE',
  'VAULT_REFUSED',
  'VAULT_ANSWER',
  'SVID_REFUSED',
] as const;
export type AcquireErrorCode = (typeof ACQUIRE_ERROR_CODES)[number];

export type AcquireErrorDetail = {
  /** The other side's own word: the broker's problem code (`entry_disabled`), or the rule that an SVID breaks (`SVID_WRONG_KEY`). */
  readonly reason?: string;
  readonly correlationId?: string;
  /** How long the other side asked us to stay away. */
  readonly retryAfterMs?: number;
};

/** Why no SVID was had. The message is for a log: it holds no token, evidence or body. */
export class AcquireError extends SignetError<AcquireErrorCode> {
  override readonly name = 'AcquireError';
  readonly detail: AcquireErrorDetail;
  constructor(code: AcquireErrorCode, message: string, detail: AcquireErrorDetail & ErrorOptions = {}) {
    const { cause, ...rest } = detail;
    super(code, message, cause === undefined ? {} : { cause });
    this.detail = rest;
  }

  /** Somebody decided against us, or must act first: asking again at once would only burden them. */
  get refused(): boolean {
    return REFUSALS.has(this.code);
  }
}

const REFUSALS: ReadonlySet<AcquireErrorCode> = new Set([
  'JOIN_CODE_SPENT',
  'BROKER_UNTRUSTED',
  'BROKER_REFUSED',
  'CLOCK_AHEAD',
  'CLOCK_BEHIND',
  'GRANT_FOREIGN',
  'GRANT_STOLEN',
  'VAULT_REFUSED',
  'SVID_REFUSED',
]);
