import { type IdPattern, parseIdPattern, SpiffeError } from '../spiffe/index.ts';
import type { Place } from './defect.ts';
import type { Asked, Comparison, Scalar } from './document.ts';
import { membersOf } from './named-sets.ts';
import { parseTemplate, pathFlaw } from './path.ts';
import { MAX_REGEX_CHARS } from './regex.ts';
import type { Scope } from './scope.ts';

/** Reads an operand; null when it recorded a defect. */
export type Operator = (operand: unknown, place: Place, scope: Scope) => Comparison | null;

/** What is wrong with a value (what was expected in its place), or null. */
export type ValueCheck = (value: Scalar) => string | null;

/** Reads `{user.subject}` as another attribute of the same request; null when it recorded a defect. */
export type ReferenceReader = (name: string, place: Place, scope: Scope) => Asked | null;

const MAX_VALUES = 1024;
const REFERENCE = /^\{(.*)\}$/s;

/** `is`. With `read`, its operand may be `{another attribute}`, and cannot be such a text itself. */
export function is(flaw: ValueCheck, read?: ReferenceReader): Operator {
  return (operand, place, scope) => {
    const name = read === undefined ? null : referenceName(operand);
    if (read !== undefined && name !== null) {
      const other = read(name, place, scope);
      return other && { operator: 'is', other };
    }
    const value = checked(operand, place, flaw);
    return value === null ? null : { operator: 'is', values: [value] };
  };
}

/** `in`: an array, or the name of a set. */
export function isIn(flaw: ValueCheck): Operator {
  return (operand, place, scope) => {
    if (typeof operand !== 'string') {
      const values = list(operand, place, (value, at) => checked(value, at, flaw));
      return values && { operator: 'in', values };
    }
    const values = membersOf(operand, place, scope.names);
    return values && every(values, operand, place, flaw) ? { operator: 'in', values } : null;
  };
}

/** `in` of callers: a set of them may hold patterns. */
export function isCallerIn(flaw: ValueCheck): Operator {
  const plain = isIn(flaw);
  const memberFlaw = ofText((text) => (text.includes('*') ? patternFlaw : flaw)(text));
  return (operand, place, scope) => {
    if (typeof operand !== 'string') return plain(operand, place, scope);
    const members = membersOf(operand, place, scope.names);
    if (members === null) return null;
    if (!every(members, operand, place, memberFlaw)) return null;
    const { values, patterns } = callersOf(members);
    return patterns.length === 0 ? { operator: 'in', values } : { operator: 'in', values, patterns };
  };
}

/** The name in `{name}`; null when the operand is of no such form. */
export function referenceName(operand: unknown): string | null {
  return typeof operand === 'string' ? (REFERENCE.exec(operand)?.[1] ?? null) : null;
}

export function has(flaw: ValueCheck, read?: ReferenceReader): Operator {
  return (operand, place, scope) => {
    const name = read === undefined ? null : referenceName(operand);
    if (read !== undefined && name !== null) {
      const other = read(name, place, scope);
      return other && { operator: 'has', other };
    }
    const value = checked(operand, place, flaw);
    return value === null ? null : { operator: 'has', values: [String(value)] };
  };
}

/** `has_all` and `has_any`: an array; the name of a set for `has_any`. */
export function hasMany(operator: 'has_all' | 'has_any', flaw: ValueCheck): Operator {
  return (operand, place, scope) => {
    if (operator === 'has_any' && typeof operand === 'string') {
      const values = membersOf(operand, place, scope.names);
      return values && every(values, operand, place, flaw) ? { operator, values } : null;
    }
    const values = list(operand, place, (value, at) => checked(value, at, flaw));
    return values && { operator, values: values.map(String) };
  };
}

export const idLike: Operator = (operand, place) => {
  const text = checked(operand, place, patternFlaw);
  return text === null ? null : { operator: 'like', pattern: parseIdPattern(String(text)) };
};

export const pathLike: Operator = (operand, place) => {
  if (typeof operand !== 'string') return place.refuse(operand, 'a string');
  const template = parseTemplate(operand);
  return typeof template === 'string' ? place.refuse(operand, template) : { operator: 'like', template };
};

export const pathStarts: Operator = (operand, place) => {
  const prefix = checked(operand, place, ofText(pathFlaw));
  return prefix === null ? null : { operator: 'starts', prefix: String(prefix) };
};

export function starts(flaw: ValueCheck): Operator {
  return (operand, place) => {
    const prefix = checked(operand, place, flaw);
    return prefix === null ? null : { operator: 'starts', prefix: String(prefix) };
  };
}

export const matches: Operator = (operand, place, { regexes }) => {
  const expected = `a regular expression of RE2 of at most ${MAX_REGEX_CHARS} characters`;
  if (typeof operand !== 'string' || operand.length > MAX_REGEX_CHARS) return place.refuse(operand, expected);
  if (regexes === null) return place.refuseAs('a regular expression', 'none: they are not read here');
  const regex = regexes(operand);
  return regex === null ? place.refuse(operand, expected) : { operator: 'matches', regex };
};

export function bound(operator: 'below' | 'above', most: number): Operator {
  return (operand, place) => {
    const sound = typeof operand === 'number' && Math.abs(operand) <= most;
    return sound ? { operator, bound: operand } : place.refuse(operand, `a number of at most ${most}`);
  };
}

export const exists: Operator = (operand, place) =>
  typeof operand === 'boolean'
    ? { operator: 'exists', present: operand }
    : place.refuse(operand, 'true or false');

/** A check of texts; what is no text is refused. */
export function ofText(flaw: (text: string) => string | null): ValueCheck {
  return (value) => (typeof value === 'string' ? flaw(value) : 'a string');
}

/** A check by a parser that throws `SpiffeError`. */
export function parsedBy(parse: (text: string) => unknown, expected: string): ValueCheck {
  return ofText((text) => {
    try {
      parse(text);
      return null;
    } catch (error) {
      if (error instanceof SpiffeError) return expected;
      throw error;
    }
  });
}

const patternFlaw = parsedBy(
  (text): IdPattern => parseIdPattern(text),
  'a SPIFFE ID whose segments may be *, the last one **',
);

function checked(value: unknown, place: Place, flaw: ValueCheck): Scalar | null {
  const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const expected = flaw(scalar ? value : '');
  if (scalar && expected === null) return value;
  return place.refuse(value, expected ?? 'a value');
}

export function list<T>(
  operand: unknown,
  place: Place,
  read: (value: unknown, place: Place) => T | null,
): T[] | null {
  if (!Array.isArray(operand) || operand.length === 0 || operand.length > MAX_VALUES) {
    return place.refuse(operand, `an array of 1 to ${MAX_VALUES} values`);
  }
  const values = operand.map((value, i) => read(value, place.at(i)));
  return values.every((value) => value !== null) ? values : null;
}

type Callers = { readonly values: readonly string[]; readonly patterns: readonly IdPattern[] };
/** A large set may be used in many places, and is looked at once. */
const callerSets = new WeakMap<readonly string[], Callers>();
const checkedSets = new WeakMap<ValueCheck, WeakMap<readonly string[], string | null>>();

function callersOf(members: readonly string[]): Callers {
  const known = callerSets.get(members);
  if (known !== undefined) return known;
  const open = members.filter((member) => member.includes('*'));
  const values = open.length === 0 ? members : members.filter((member) => !member.includes('*'));
  const callers = { values, patterns: open.map(parseIdPattern) };
  callerSets.set(members, callers);
  return callers;
}

/** Whether every member of a set fits where the set is used. */
function every(members: readonly string[], set: string, place: Place, flaw: ValueCheck): boolean {
  const known = checkedSets.get(flaw) ?? new WeakMap<readonly string[], string | null>();
  checkedSets.set(flaw, known);
  let unfit = known.get(members);
  if (unfit === undefined)
    known.set(members, (unfit = members.find((member) => flaw(member) !== null) ?? null));
  if (unfit !== null) place.refuse(unfit, `${flaw(unfit)}, as every member of ${set}`);
  return unfit === null;
}
