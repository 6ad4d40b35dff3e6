import { parseIdPattern, parseTrustDomain, SpiffeError } from '../spiffe/index.ts';
import { parseCaller } from './caller.ts';
import { oneOf, type Place } from './defect.ts';
import type { Condition, Predicate } from './document.ts';
import { parseTemplate, pathFlaw } from './path.ts';

const MAX_DEPTH = 16;
const MAX_BRANCHES = 256;
const MAX_VALUES = 1024;
const METHOD = /^[A-Z-]{1,32}$/;

/** Reads an operand; null when it recorded a defect. */
type Operator = (operand: unknown, place: Place) => Predicate | null;

/** What is wrong with a value (what was expected in its place), or null. */
type ValueCheck = (text: string) => string | null;

const callerFlaw: ValueCheck = (text) =>
  flawOf(() => parseCaller(text), 'a SPIFFE ID such as spiffe://example.org/ns/shop/sa/web, or "anonymous"');
const trustDomainFlaw: ValueCheck = (text) =>
  flawOf(() => parseTrustDomain(text), 'a trust domain such as example.org');
const methodFlaw: ValueCheck = (text) => (METHOD.test(text) ? null : 'a method in capitals such as "GET"');

/** The language: every attribute and the operators it has. What is not here is unknown, and refuses the whole set. */
const ATTRIBUTES: ReadonlyMap<string, ReadonlyMap<string, Operator>> = new Map([
  ['caller', new Map<string, Operator>([...equality('caller', callerFlaw), ['like', callerLike]])],
  ['caller.trust_domain', new Map<string, Operator>(equality('caller.trust_domain', trustDomainFlaw))],
  ['method', new Map<string, Operator>(equality('method', methodFlaw))],
  [
    'path',
    new Map<string, Operator>([...equality('path', pathFlaw), ['starts', pathStarts], ['like', pathLike]]),
  ],
]);

/** Reads a condition: `all`, `any`, `not` or one attribute. Null when it recorded a defect. */
export function parseCondition(value: unknown, place: Place, depth = 0): Condition | null {
  const member = onlyMember(value, place, 'a condition: an object with one member');
  if (member === null) return null;
  const [key, inner] = member;
  const at = place.at(key);
  if (key === 'all' || key === 'any' || key === 'not') {
    if (depth >= MAX_DEPTH)
      return at.refuseAs(`${key} below ${depth} others`, `at most ${MAX_DEPTH} levels of all, any and not`);
    if (key !== 'not') return parseBranches(key, inner, at, depth);
    const of = parseCondition(inner, at, depth + 1);
    return of && { kind: 'not', of };
  }
  const operators = ATTRIBUTES.get(key);
  if (operators === undefined) return at.refuse(key, oneOf(['all', 'any', 'not', ...ATTRIBUTES.keys()]));
  return parsePredicate(operators, inner, at);
}

function parseBranches(kind: 'all' | 'any', value: unknown, place: Place, depth: number): Condition | null {
  // An empty `all` would be true for everything, an empty `any` for nothing; whoever means that can say it.
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_BRANCHES) {
    return place.refuse(value, `an array of 1 to ${MAX_BRANCHES} conditions`);
  }
  const of = value.map((branch, i) => parseCondition(branch, place.at(i), depth + 1));
  return of.every((condition) => condition !== null) ? { kind, of } : null;
}

function parsePredicate(
  operators: ReadonlyMap<string, Operator>,
  value: unknown,
  place: Place,
): Predicate | null {
  const names = oneOf([...operators.keys()]);
  const member = onlyMember(value, place, `an object with one operator: ${names}`);
  if (member === null) return null;
  const [operator, operand] = member;
  const read = operators.get(operator);
  return read === undefined ? place.at(operator).refuse(operator, names) : read(operand, place.at(operator));
}

function onlyMember(value: unknown, place: Place, expected: string): [string, unknown] | null {
  const members =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  const [member] = members;
  return member === undefined || members.length > 1 ? place.refuse(value, expected) : member;
}

type Equality = Extract<Predicate, { operator: 'is' | 'in' }>['attribute'];

function equality(attribute: Equality, flaw: ValueCheck): [string, Operator][] {
  return [
    [
      'is',
      (operand, place) => {
        const text = checkedText(operand, place, flaw);
        return text === null
          ? null
          : { kind: 'predicate', attribute, operator: 'is', values: [text], wanted: text };
      },
    ],
    [
      'in',
      (operand, place) => {
        if (!Array.isArray(operand) || operand.length === 0 || operand.length > MAX_VALUES) {
          return place.refuse(operand, `an array of 1 to ${MAX_VALUES} values`);
        }
        const values = operand.map((value, i) => checkedText(value, place.at(i), flaw));
        if (!values.every((value) => value !== null)) return null;
        return { kind: 'predicate', attribute, operator: 'in', values, wanted: values };
      },
    ],
  ];
}

function callerLike(operand: unknown, place: Place): Predicate | null {
  const wanted = checkedText(operand, place, (text) =>
    flawOf(() => parseIdPattern(text), 'a SPIFFE ID whose segments may be *, the last one **'),
  );
  if (wanted === null) return null;
  return {
    kind: 'predicate',
    attribute: 'caller',
    operator: 'like',
    pattern: parseIdPattern(wanted),
    wanted,
  };
}

function pathStarts(operand: unknown, place: Place): Predicate | null {
  const prefix = checkedText(operand, place, pathFlaw);
  if (prefix === null) return null;
  return { kind: 'predicate', attribute: 'path', operator: 'starts', prefix, wanted: prefix };
}

function pathLike(operand: unknown, place: Place): Predicate | null {
  if (typeof operand !== 'string') return place.refuse(operand, 'a string');
  const template = parseTemplate(operand);
  if (typeof template === 'string') return place.refuse(operand, template);
  return { kind: 'predicate', attribute: 'path', operator: 'like', template, wanted: operand };
}

function checkedText(value: unknown, place: Place, flaw: ValueCheck): string | null {
  if (typeof value !== 'string') return place.refuse(value, 'a string');
  const expected = flaw(value);
  return expected === null ? value : place.refuse(value, expected);
}

function flawOf(parse: () => unknown, expected: string): string | null {
  try {
    parse();
    return null;
  } catch (error) {
    if (error instanceof SpiffeError) return expected;
    throw error;
  }
}
