import { SignetError } from '../errors.ts';

/** Bytes that are not what a TPM writes. */
export class TpmError extends SignetError<'TPM_MALFORMED'> {
  override readonly name = 'TpmError';
}

export function malformed(what: string, options?: ErrorOptions): TpmError {
  return new TpmError('TPM_MALFORMED', `malformed TPM structure: ${what}`, options);
}
