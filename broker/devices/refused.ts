import { AttestationError, type AttestationErrorCode } from '../attestors/attestor.ts';

/** The refusal of a device. Its code stands first in what the log and `signet explain` tell. */
export function refused(code: AttestationErrorCode, why: string, options?: ErrorOptions): AttestationError {
  return new AttestationError(code, `${code}: ${why}`, options);
}
