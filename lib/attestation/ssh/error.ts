import { SignetError } from '../../errors.ts';

export type SshErrorCode =
  | 'SSH_MALFORMED'
  | 'SSH_UNSUPPORTED'
  | 'SSH_WEAK_KEY'
  | 'SSH_WRONG_NAMESPACE'
  | 'SSH_BAD_SIGNATURE'
  | 'SSH_CERT_UNTRUSTED'
  | 'SSH_CERT_NOT_HOST'
  | 'SSH_CERT_NO_PRINCIPAL'
  | 'SSH_CERT_CRITICAL_OPTION'
  | 'SSH_CERT_NOT_YET_VALID'
  | 'SSH_CERT_EXPIRED'
  | 'SSH_KEY_ENCRYPTED'
  | 'SSH_KEY_MISMATCH';

/** What was wrong with a key, a certificate or a signature. Names the field, never quotes its bytes. */
export class SshError extends SignetError<SshErrorCode> {
  override readonly name = 'SshError';
}
