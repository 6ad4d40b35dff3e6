import { SignetError } from '../errors.ts';
import type { PolicyDocument } from './document.ts';

/** One file of policies: a document, an array of documents, or `{"$schema"?, "policies": [documents]}`. */
export type PolicySource = { readonly file: string; readonly text: string };
/** One thing wrong: where (`pointer` is an RFC 6901 JSON pointer into `file`), what was found, what was expected. */
export type PolicyDefect = {
  readonly file: string;
  readonly pointer: string;
  readonly found: string;
  readonly expected: string;
};
/** A policy set that is refused whole. Carries every defect of every file. */
export class PolicyError extends SignetError<'POLICY_INVALID'> {
  override readonly name = 'PolicyError';
  readonly defects: readonly PolicyDefect[];
  constructor(defects: readonly PolicyDefect[]) {
    super(
      'POLICY_INVALID',
      defects.map((d) => `${d.file}#${d.pointer}: found ${d.found}, expected ${d.expected}`).join('; '),
    );
    this.defects = defects;
  }
}
export declare function parsePolicies(sources: readonly PolicySource[]): PolicyDocument[];
