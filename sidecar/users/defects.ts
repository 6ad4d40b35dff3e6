import { type Defect, InputError } from '../../lib/errors.ts';
import { escapePointer } from '../../lib/json-text.ts';
import { isObject, type JsonObject } from '../../lib/token/index.ts';

/** A place in a document (RFC 6901), and the list of what is wrong with the document. Messages quote no value: one may be a secret. */
export class Place {
  private readonly defects: Defect[];
  readonly pointer: string;

  constructor(defects: Defect[], pointer = '') {
    this.defects = defects;
    this.pointer = pointer;
  }

  at(token: string | number): Place {
    return new Place(this.defects, `${this.pointer}/${escapePointer(String(token)).slice(0, 80)}`);
  }

  below(pointer: string): Place {
    return new Place(this.defects, this.pointer + pointer);
  }

  flaw(message: string): undefined {
    this.defects.push({ pointer: this.pointer, message });
    return undefined;
  }

  /** The value as an object with none but these members; each `required` one is there. */
  object(value: unknown, members: readonly string[], required: readonly string[] = []): JsonObject {
    if (!isObject(value)) {
      this.flaw(value === undefined ? 'is missing' : 'is not an object');
      return {};
    }
    for (const name of Object.keys(value))
      if (!members.includes(name)) this.at(name).flaw(`is not one of ${members.join(', ')}`);
    for (const name of required) if (!Object.hasOwn(value, name)) this.at(name).flaw('is missing');
    return value;
  }

  text(value: unknown, good: RegExp, what: string): string | undefined {
    if (value === undefined) return undefined;
    return typeof value === 'string' && good.test(value) ? value : this.flaw(`is not ${what}`);
  }

  number(value: unknown, least: number, most: number, otherwise: number): number {
    if (value === undefined) return otherwise;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    this.flaw(`is not a whole number from ${least} to ${most}`);
    return otherwise;
  }

  /** One text or several different ones, each as `read` makes it. */
  texts(value: unknown, good: RegExp, what: string): readonly string[] {
    if (value === undefined) return [];
    if (typeof value === 'string') return [this.text(value, good, what) ?? ''];
    if (!Array.isArray(value) || value.length === 0 || value.length > MOST_TEXTS) {
      this.flaw(`is not ${what}, nor a list of 1 to ${MOST_TEXTS} of them`);
      return [];
    }
    if (new Set(value).size < value.length) this.flaw('says one thing twice');
    return value.map((each, i) => {
      if (typeof each === 'string' && good.test(each)) return each;
      this.at(i).flaw(`is not ${what}`);
      return '';
    });
  }

  /** Several different ones of these words. */
  words(value: unknown, words: readonly string[], otherwise: readonly string[]): ReadonlySet<string> {
    if (value === undefined) return new Set(otherwise);
    if (!Array.isArray(value) || value.length === 0) {
      this.flaw(`is not a list of ${words.join(', ')}`);
      return new Set();
    }
    if (new Set(value).size < value.length) this.flaw('says one thing twice');
    value.forEach((word, i) => {
      if (!words.includes(word)) this.at(i).flaw(`is not one of ${words.join(', ')}`);
    });
    return new Set(value);
  }
}

const MOST_TEXTS = 64;

/** Calls `read`, which notes what is wrong. @throws InputError with all of it */
export function allOrNothing<T>(what: string, read: (place: Place) => T): T {
  const defects: Defect[] = [];
  const value = read(new Place(defects));
  if (defects.length > 0) throw new InputError(what, defects);
  return value;
}
