/** What the sender of a token is told of why it proves no user. */
export type FaultCode =
  | 'token_invalid'
  | 'token_expired'
  | 'token_early'
  | 'token_audience'
  | 'token_party'
  | 'issuer_unknown'
  /** No key of the issuer's fits: there may be a newer set of them. */
  | 'key_unknown';

/** Why a token proves no user. `reason` is for our own log; it names a rule and quotes nothing of the token. */
export class Fault {
  readonly code: FaultCode;
  readonly reason: string;
  constructor(code: FaultCode, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

export function invalid(reason: string): Fault {
  return new Fault('token_invalid', reason);
}
