import { SignetError } from '../errors.ts';

export type SvidErrorCode =
  | 'SVID_MALFORMED'
  | 'SVID_TOO_LARGE'
  | 'SVID_NO_URI_SAN'
  | 'SVID_MANY_URI_SANS'
  | 'SVID_OTHER_SAN'
  | 'SVID_BAD_ID'
  | 'SVID_WRONG_ID'
  | 'SVID_WRONG_TRUST_DOMAIN'
  | 'SVID_WRONG_KEY'
  | 'SVID_SUBJECT'
  | 'SVID_SAN_NOT_CRITICAL'
  | 'SVID_IS_CA'
  | 'SVID_KEY_USAGE'
  | 'SVID_EXTENDED_KEY_USAGE'
  | 'SVID_UNKNOWN_CRITICAL'
  | 'SVID_NOT_YET_VALID'
  | 'SVID_EXPIRED'
  | 'SVID_UNTRUSTED'
  | 'CSR_BAD_KEY'
  | 'BUNDLE_MALFORMED'
  | 'BUNDLE_ROLLED_BACK';

/** A certificate, CSR key or bundle that must not be used. The message never holds key material. */
export class SvidError extends SignetError<SvidErrorCode> {
  override readonly name = 'SvidError';
}
