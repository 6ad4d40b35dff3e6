import { ANONYMOUS, type Caller, parseCaller } from '../caller.ts';
import type { Condition, PolicyDocument, Predicate } from '../document.ts';
import { matcherOf } from '../matcher.ts';
import type { Subject } from '../reading.ts';
import { attributesOf, membersOf } from './members.ts';

/** Why no request can ever match, or none any more; null when one might. */
export function neverMatches({ when, effect }: PolicyDocument, now: Date): string | null {
  const members = membersOf(when);
  const predicates = members.filter((member): member is Predicate => member.kind === 'predicate');
  for (const [what, isOwn, subjectOf] of NAMED) {
    const own = members.filter((member) => attributesOf(member).every(isOwn));
    const named = valuesNamed(own, what);
    const matchers = own.map((member) => matcherOf(member, effect));
    if (named?.every((value) => !matchers.every((matches) => matches(subjectOf(value)))))
      return `matches no request: what it asks of the ${what} rules itself out`;
  }
  return emptyRange(predicates) ?? withoutUser(predicates) ?? over(predicates, now);
}

const NOTHING: Subject = { caller: ANONYMOUS, callerText: ANONYMOUS, method: '', path: '', facts: null };

/** Attributes that are known once a value is: if a rule names the values, each of them can be tried. */
const NAMED: readonly [
  what: string,
  isOwn: (attribute: string) => boolean,
  of: (value: string) => Subject,
][] = [
  [
    'caller',
    (name) => name === 'caller' || name.startsWith('caller.'),
    (value) => {
      const caller: Caller = parseCaller(value);
      return { ...NOTHING, caller, callerText: value };
    },
  ],
  ['method', (name) => name === 'method', (method) => ({ ...NOTHING, method })],
  ['path', (name) => name === 'path' || name.startsWith('path.'), (path) => ({ ...NOTHING, path })],
];

/** The values that a rule leaves for an attribute; null: it does not name them. */
function valuesNamed(members: readonly Condition[], attribute: string): readonly string[] | null {
  for (const member of members) {
    if (member.kind !== 'predicate' || member.attribute !== attribute) continue;
    if (
      (member.operator === 'is' || member.operator === 'in') &&
      'values' in member &&
      !('patterns' in member)
    )
      return member.values.map(String);
  }
  return null;
}

const NUMBERS = ['risk', 'size', 'user.auth_age', 'token.age'];

function emptyRange(predicates: readonly Predicate[]): string | null {
  for (const name of NUMBERS) {
    const own = predicates.filter(({ attribute }) => attribute === name);
    const below = own.flatMap((each) => (each.operator === 'below' ? [each.bound] : []));
    const above = own.flatMap((each) => (each.operator === 'above' ? [each.bound] : []));
    if (Math.min(...below) <= Math.max(...above))
      return `matches no request: no ${name} is below and above so`;
  }
  return Math.min(...instants(predicates, 'before')) <= Math.max(...instants(predicates, 'after'))
    ? 'matches no request: it ends before it begins'
    : null;
}

function withoutUser(predicates: readonly Predicate[]): string | null {
  const wantsNone = predicates.some(
    (each) => each.attribute === 'user' && each.operator === 'exists' && !each.present,
  );
  const asks = predicates.some(
    (each) => each.attribute.startsWith('user.') && !(each.operator === 'exists' && !each.present),
  );
  return wantsNone && asks ? 'matches no request: it wants no user, and asks about one' : null;
}

function over(predicates: readonly Predicate[], now: Date): string | null {
  const end = Math.min(...instants(predicates, 'before'));
  return end <= now.getTime()
    ? `matches no request any more: it ended at ${new Date(end).toISOString()}`
    : null;
}

function instants(predicates: readonly Predicate[], operator: 'before' | 'after'): number[] {
  return predicates.flatMap((each) => (each.operator === operator ? [each.instant] : []));
}
