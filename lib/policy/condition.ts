import { attributeNamed } from './attributes.ts';
import { oneOf, type Place } from './defect.ts';
import type { Condition, Operand, Predicate } from './document.ts';
import { placeholdersOf } from './path.ts';
import type { Scope } from './scope.ts';

const MAX_DEPTH = 16;
const MAX_BRANCHES = 256;
const JOINS = ['all', 'any', 'not'] as const;

/** Reads a condition: `all`, `any`, `not` or one attribute. Null when it recorded a defect. */
export function parseCondition(value: unknown, place: Place, scope: Scope, depth = 0): Condition | null {
  const member = onlyMember(value, place, 'a condition: an object with one member');
  if (member === null) return null;
  const [key, inner] = member;
  const at = place.at(key);
  if (key === 'all' || key === 'any' || key === 'not') {
    if (depth >= MAX_DEPTH)
      return at.refuseAs(`${key} below ${depth} others`, `at most ${MAX_DEPTH} levels of all, any and not`);
    if (key !== 'not') return parseBranches(key, inner, at, scope, depth);
    const of = parseCondition(inner, at, scope, depth + 1);
    return of && { kind: 'not', of };
  }
  return parsePredicate(key, inner, at, scope);
}

/**
 * The placeholders of all path templates in a condition that is not read yet, and which segment each is; null when it is not the same one
 * in all of them.
 */
export function placeholdersIn(when: unknown, depth = 0): Map<string, number | null> {
  const found = new Map<string, number | null>();
  const add = (name: string, at: number | null) => {
    const before = found.get(name);
    found.set(name, before === undefined || before === at ? at : null);
  };
  for (const [key, value] of Object.entries(Object(when) as object)) {
    if (key === 'path' && typeof value?.like === 'string') {
      for (const [name, at] of placeholdersOf(value.like)) add(name, at);
    } else if ((key === 'all' || key === 'any' || key === 'not') && depth < MAX_DEPTH) {
      const branches: unknown[] = Array.isArray(value) ? value.slice(0, MAX_BRANCHES) : [value];
      for (const branch of branches)
        for (const [name, at] of placeholdersIn(branch, depth + 1)) add(name, at);
    }
  }
  return found;
}

function parseBranches(
  kind: 'all' | 'any',
  value: unknown,
  place: Place,
  scope: Scope,
  depth: number,
): Condition | null {
  // An empty `all` would be true for everything, an empty `any` for nothing; whoever means that can say it.
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_BRANCHES) {
    return place.refuse(value, `an array of 1 to ${MAX_BRANCHES} conditions`);
  }
  const of = value.map((branch, i) => parseCondition(branch, place.at(i), scope, depth + 1));
  return of.every((condition) => condition !== null) ? { kind, of } : null;
}

function parsePredicate(name: string, value: unknown, place: Place, scope: Scope): Predicate | null {
  const attribute = attributeNamed(name, place, scope, JOINS);
  if (attribute === null) return null;
  const { operators, at } = attribute;
  const names = oneOf([...operators.keys()]);
  const member = onlyMember(value, place, `an object with one operator: ${names}`);
  if (member === null) return null;
  const [operator, operand] = member;
  const read = operators.get(operator);
  if (read === undefined) return place.at(operator).refuse(operator, names);
  const comparison = read(operand, place.at(operator), scope);
  if (comparison === null) return null;
  const asked = at === undefined ? { attribute: name } : { attribute: name, at };
  return { kind: 'predicate', ...asked, ...comparison, wanted: operand as Operand };
}

function onlyMember(value: unknown, place: Place, expected: string): [string, unknown] | null {
  const members =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  const [member] = members;
  return member === undefined || members.length > 1 ? place.refuse(value, expected) : member;
}
