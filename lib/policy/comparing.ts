import { type IdPattern, matchesPattern } from '../spiffe/index.ts';
import { ANONYMOUS, type Caller } from './caller.ts';
import { certainTest } from './certain.ts';
import type { Comparison, Predicate, Scalar } from './document.ts';
import { isWithin, type Network } from './network.ts';
import { UNREADABLE } from './query.ts';
import { originOf, type Reader, readerOf, type Subject, type Value } from './reading.ts';
import { windowTest } from './time-window.ts';
import { setOf } from './value-set.ts';

/** What a comparison came to. */
export const NO = 0;
export const YES = 1;
/** There is nothing to compare. */
const ABSENT = 2;
/** Of several values some agree and some do not, or there is something that cannot be read in one way. */
export const UNCLEAR = 3;
export type Outcome = typeof NO | typeof YES | typeof ABSENT | typeof UNCLEAR;

type Equality = Extract<Comparison, { operator: 'is' | 'in' }>;
type Membership = Extract<Comparison, { operator: 'has' | 'has_all' | 'has_any' }>;

export type Judge = (subject: Subject) => Outcome;

/** A comparison as a function. */
export function judgeOf(predicate: Predicate): Judge {
  if ('pairs' in predicate) return relation(predicate);
  const certain = certainTest(predicate);
  if (certain !== null) return (subject) => (certain(subject) ? YES : NO);
  const read = readerOf(predicate);
  if ('other' in predicate) return sameAs(readerOf(predicate.other), read, predicate.operator);
  if ('networks' in predicate) return within(predicate.networks, read);
  switch (predicate.operator) {
    case 'exists':
      return existence(read, predicate.present);
    case 'is':
    case 'in':
      return equality(predicate, read);
    case 'has':
    case 'has_all':
    case 'has_any':
      return membership(predicate, read);
    case 'like':
      return 'pattern' in predicate ? resemblance(predicate.pattern) : () => UNCLEAR;
    case 'starts': {
      const { prefix } = predicate;
      return ofEach(read, (value) => typeof value === 'string' && value.startsWith(prefix));
    }
    case 'matches': {
      const { regex } = predicate;
      return ofEach(read, (value) => typeof value === 'string' && regex.matches(value));
    }
    case 'below':
      return ofNumber(read, (n) => n < predicate.bound);
    case 'above':
      return ofNumber(read, (n) => n > predicate.bound);
    case 'before':
      return ofTime(read, (now) => now.getTime() < predicate.instant);
    case 'after':
      return ofTime(read, (now) => now.getTime() >= predicate.instant);
    case 'between':
      return ofTime(read, windowTest(predicate.window));
  }
}

/** Of the origin: the caller's is certain. */
function resemblance(pattern: IdPattern): Judge {
  return (subject) => {
    const origin = originOf(subject);
    return origin !== ANONYMOUS && matchesPattern(pattern, origin) ? YES : NO;
  };
}

function existence(read: Reader, wanted: boolean): Judge {
  return (subject) => {
    const value = read(subject);
    if (value === UNREADABLE) return UNCLEAR;
    const empty = value instanceof Set ? value.size === 0 : Array.isArray(value) && value.length === 0;
    return (value !== null && !empty) === wanted ? YES : NO;
  };
}

function equality({ values, patterns, attribute }: Predicate & Equality, read: Reader): Judge {
  if (patterns !== undefined) {
    const known = setOf(values);
    const id = callerReader(attribute);
    return (subject) => {
      const caller = id(subject);
      if (known.has(caller.toString())) return YES;
      return caller !== ANONYMOUS && patterns.some((pattern) => matchesPattern(pattern, caller)) ? YES : NO;
    };
  }
  if (values.length === 1) {
    const [wanted] = values;
    return ofEach(read, (value) => value === wanted);
  }
  const known = setOf(values);
  return ofEach(read, (value) => known.has(value));
}

function membership({ values, operator }: Membership, read: Reader): Judge {
  const wanted = setOf(values);
  return (subject) => {
    const value = read(subject);
    if (value === null || value === UNREADABLE) return value === null ? ABSENT : UNCLEAR;
    if (operator === 'has_all') return values.every((wanted) => holds(value, wanted)) ? YES : NO;
    // A named set may be large, what a token says is not.
    if (value instanceof Set || Array.isArray(value)) {
      for (const each of value as Iterable<Scalar>) if (wanted.has(each)) return YES;
      return NO;
    }
    return wanted.has(value as Scalar) ? YES : NO;
  };
}

/** Another attribute of the same request. */
function sameAs(other: Reader, read: Reader, operator: 'is' | 'has'): Judge {
  return (subject) => {
    const wanted = comparable(other(subject));
    if (wanted === null || wanted === UNREADABLE) return wanted === null ? ABSENT : UNCLEAR;
    const value = read(subject);
    if (operator === 'is') return ofValue(value, (each) => each === wanted);
    if (value === null || value === UNREADABLE) return value === null ? ABSENT : UNCLEAR;
    return holds(value, wanted) ? YES : NO;
  };
}

function relation({ pairs, from, to }: Extract<Comparison, { operator: 'related' }>): Judge {
  const [left, right] = [readerOf(from), readerOf(to)];
  const related = new Map(Object.entries(pairs).map(([text, texts]) => [text, setOf(texts)]));
  return (subject) => {
    const a = comparable(left(subject));
    const b = comparable(right(subject));
    if (a === UNREADABLE || b === UNREADABLE) return UNCLEAR;
    if (a === null || b === null) return ABSENT;
    return related.get(String(a))?.has(b) === true ? YES : NO;
  };
}

function within(networks: readonly Network[], read: Reader): Judge {
  return (subject) => {
    const value = read(subject);
    const found = typeof value === 'string' ? isWithin(networks, value) : null;
    return found === null ? ABSENT : found ? YES : NO;
  };
}

function ofEach(read: Reader, test: (value: Scalar) => boolean): Judge {
  return (subject) => ofValue(read(subject), test);
}

function ofValue(value: Value, test: (value: Scalar) => boolean): Outcome {
  if (value === null) return ABSENT;
  if (typeof value !== 'object' && typeof value !== 'symbol') return test(value) ? YES : NO;
  if (!Array.isArray(value)) return UNCLEAR;
  const agree = value.filter(test).length;
  return agree === value.length ? YES : agree === 0 ? NO : UNCLEAR;
}

function ofNumber(read: Reader, test: (value: number) => boolean): Judge {
  return (subject) => {
    const value = read(subject);
    if (typeof value === 'number' && !Number.isNaN(value)) return test(value) ? YES : NO;
    return value === null ? ABSENT : UNCLEAR;
  };
}

function ofTime(read: Reader, test: (value: Date) => boolean): Judge {
  return (subject) => {
    const value = read(subject);
    return value instanceof Date ? (test(value) ? YES : NO) : ABSENT;
  };
}

/** What another attribute can be compared with: one value. Two empty texts are not the same thing. */
function comparable(value: Value): Scalar | null | typeof UNREADABLE {
  if (Array.isArray(value) && value.length === 1) return comparable(value[0]);
  if (value === '') return null;
  return typeof value === 'object' && value !== null ? UNREADABLE : value;
}

function holds(value: Exclude<Value, null | symbol>, wanted: Scalar): boolean {
  if (value instanceof Set) return value.has(wanted);
  if (Array.isArray(value)) return value.includes(wanted);
  return value === wanted;
}

function callerReader(attribute: string): (subject: Subject) => Caller {
  return attribute === 'origin' ? originOf : ({ caller }) => caller;
}
