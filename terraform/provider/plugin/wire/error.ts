import type { Path } from '../diagnostics.ts';

export type WireErrorCode = 'VALUE_MALFORMED' | 'VALUE_UNFIT';

/** `VALUE_MALFORMED`: what came is no value of its type. `VALUE_UNFIT`: what a resource gave is none. Neither tells the value. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: WireErrorCode;
  readonly path: Path;
  constructor(code: WireErrorCode, message: string, path: Path, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}
