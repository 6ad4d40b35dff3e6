import { SignetError } from '../errors.ts';

export type AssertionErrorCode =
  | 'JWS_MALFORMED'
  | 'JWS_SIGNATURE'
  | 'TXN_MALFORMED'
  | 'TXN_WRONG_ISSUER'
  | 'TXN_WRONG_AUDIENCE'
  | 'TXN_EXPIRED'
  | 'TXN_NOT_YET_VALID'
  | 'TXN_UNTRUSTED';

/** A signed statement that must not be believed. The message never holds any of it. */
export class AssertionError extends SignetError<AssertionErrorCode> {
  override readonly name = 'AssertionError';
}
