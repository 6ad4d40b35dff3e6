import { SignetError } from '../errors.ts';
import { escapePointer } from '../json-text.ts';

/** One thing wrong: where (`pointer` is an RFC 6901 JSON pointer into `file`), what was found there, what was expected. */
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
    super('POLICY_INVALID', `policy refused: ${defects.map(defectText).join('; ')}`);
    this.defects = defects;
  }
}

export function defectText(defect: PolicyDefect): string {
  return `${defect.file}#${defect.pointer}: found ${defect.found}, expected ${defect.expected}`;
}

/** A place in a file, and the list of what is wrong there. */
export class Place {
  readonly #defects: PolicyDefect[];
  readonly file: string;
  readonly pointer: string;

  constructor(defects: PolicyDefect[], file: string, pointer = '') {
    this.#defects = defects;
    this.file = file;
    this.pointer = pointer;
  }

  at(token: string | number): Place {
    return new Place(this.#defects, this.file, `${this.pointer}/${escapePointer(String(token))}`);
  }

  /** `pointer` is relative to this place. */
  below(pointer: string): Place {
    return new Place(this.#defects, this.file, this.pointer + pointer);
  }

  /** Records a defect. Returns null, for what could not be read. */
  refuse(found: unknown, expected: string): null {
    return this.refuseAs(shown(found), expected);
  }

  refuseAs(found: string, expected: string): null {
    this.#defects.push({ file: this.file, pointer: this.pointer, found, expected });
    return null;
  }
}

/** A value as an author would recognise it, in at most 60 characters. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** `"a", "b" or "c"` */
export function oneOf(names: readonly string[]): string {
  const quoted = names.map((name) => JSON.stringify(name));
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}
