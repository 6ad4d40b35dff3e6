/**
 * The root of every typed error in Signet. Branch on `code`, never on the message.
 * A message names what was wrong and never carries a token, a key, evidence or a body.
 */
export class SignetError<Code extends string = string> extends Error {
  override readonly name: string = 'SignetError';
  readonly code: Code;
  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One thing wrong with an input document: where (RFC 6901 JSON pointer) and what. */
export type Defect = { readonly pointer: string; readonly message: string };

/** An input document that cannot be used. Carries every defect found, so that a user mends them in one go. */
export class InputError extends SignetError<'INPUT_INVALID'> {
  override readonly name = 'InputError';
  readonly defects: readonly Defect[];
  constructor(what: string, defects: readonly Defect[]) {
    super('INPUT_INVALID', `${what}: ${defects.map((d) => `${d.pointer || '/'} ${d.message}`).join('; ')}`);
    this.defects = defects;
  }
}
