import { oneOf, type Place } from '../defect.ts';

/**
 * Reads one value. What is wrong with it is recorded at its place, and then what is returned is only of the right type: nobody uses
 * anything of a file with a defect.
 */
export type Reader<T> = (value: unknown, place: Place) => T;

/** An object of these members and no others. One that is not `required` may be left out. */
export function object<T>(
  readers: { readonly [Key in keyof T]-?: Reader<Exclude<T[Key], undefined>> },
  required: readonly (keyof T & string)[],
): Reader<T> {
  const names = Object.keys(readers) as (keyof T & string)[];
  return (value, place) => {
    const read: Partial<T> = {};
    if (!isObject(value)) return refused(place, value, 'an object', read as T);
    for (const key of Object.keys(value))
      if (key !== '$schema' && !names.includes(key as never)) place.at(key).refuse(key, oneOf(names));
    for (const name of names) {
      if (Object.hasOwn(value, name))
        read[name] = readers[name](value[name], place.at(name)) as T[typeof name];
      else if (required.includes(name)) place.at(name).refuse(undefined, `a member "${name}"`);
    }
    return read as T;
  };
}

/** An object whose members may have any name. */
export function named<T>(reader: Reader<T>, name: RegExp = /^[^/]{1,100}$/): Reader<ReadonlyMap<string, T>> {
  return (value, place) => {
    const read = new Map<string, T>();
    if (!isObject(value)) return refused(place, value, 'an object', read);
    for (const [key, inner] of Object.entries(value)) {
      if (!name.test(key)) place.at(key).refuse(key, `a name as ${name}`);
      read.set(key, reader(inner, place.at(key)));
    }
    return read;
  };
}

export function list<T>(reader: Reader<T>, most: number): Reader<readonly T[]> {
  return (value, place) =>
    Array.isArray(value) && value.length <= most
      ? value.map((inner, i) => reader(inner, place.at(i)))
      : refused(place, value, `an array of at most ${most}`, []);
}

/** One value, or several in an array. */
export function oneOrMore<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) return [reader(value, place)];
    if (value.length === 0) return refused(place, value, 'at least one', []);
    return value.map((inner, i) => reader(inner, place.at(i)));
  };
}

export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return (value, place) => (value === null ? null : reader(value, place));
}

export function word<Word extends string>(words: readonly Word[]): Reader<Word> {
  return (value, place) =>
    words.find((each) => each === value) ?? refused(place, value, oneOf(words), words[0]!);
}

export const text: Reader<string> = (value, place) =>
  typeof value === 'string' ? value : refused(place, value, 'a string', '');

export const flag: Reader<boolean> = (value, place) =>
  typeof value === 'boolean' ? value : refused(place, value, 'true or false', false);

export function number(least: number, most: number): Reader<number> {
  return (value, place) =>
    typeof value === 'number' && value >= least && value <= most
      ? value
      : refused(place, value, `a number from ${least} to ${most}`, least);
}

/** Seconds since the epoch. */
export const seconds = number(0, 1e12);

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

export const instant: Reader<Date> = (value, place) => {
  const date = new Date(typeof value === 'string' && INSTANT.test(value) ? value : Number.NaN);
  return Number.isFinite(date.getTime())
    ? date
    : refused(place, value, 'a time with its zone, such as "2026-03-02T10:00:00Z"', new Date(0));
};

/** A text that `parse` takes; what it throws says that it does not. */
export function parsedBy<T>(parse: (text: string) => T, expected: string): Reader<T> {
  return (value, place) => {
    try {
      if (typeof value === 'string') return parse(value);
    } catch {
      // said below
    }
    return refused(place, value, expected, undefined as T);
  };
}

export const anyObject: Reader<Readonly<Record<string, unknown>>> = (value, place) =>
  isObject(value) ? value : refused(place, value, 'an object', {});

function refused<T>(place: Place, value: unknown, expected: string, instead: T): T {
  place.refuse(value, expected);
  return instead;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
