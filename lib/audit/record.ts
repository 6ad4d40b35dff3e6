import { SignetError } from '../errors.ts';

export type AuditErrorCode = 'AUDIT_RECORD_INVALID' | 'AUDIT_RECORD_TOO_LARGE' | 'AUDIT_RESUME_REFUSED';
export class AuditError extends SignetError<AuditErrorCode> {
  override readonly name = 'AuditError';
}

export type AuditType =
  | 'start'
  | 'stop'
  | 'decision'
  | 'svid'
  | 'checkpoint'
  | 'alarm'
  | 'recovered'
  | (string & {});

/**
 * What a caller records. Any JSON fields of its own beside `type`; `seq`, `time`, `prev` and `sig` are the chain's.
 * Never a token, a key, evidence or a body.
 */
export type AuditEvent = { readonly type: AuditType } & Readonly<Record<string, unknown>>;
