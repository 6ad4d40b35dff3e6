import type { Condition, PolicyDocument, Predicate } from './document.ts';

/** An allow taken apart: what it asks of the token's scope, and the rest. */
export type Lacking = { readonly scope: string; readonly rest: Condition };

/** As a scope may be named in a header: RFC 6749 NQCHAR. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Null: it asks nothing of the scope, or not of every request. */
export function lackingScope({ effect, mode }: PolicyDocument, when: Condition): Lacking | null {
  if (effect !== 'allow' || mode !== 'enforce') return null;
  const members = membersOf(when);
  const scopes = members.flatMap((member) => (isScope(member) ? member.values : []));
  const rest = members.filter((member) => !isScope(member));
  if (rest.length === 0 || scopes.length === 0 || !scopes.every((scope) => SCOPE.test(scope))) return null;
  return { scope: [...new Set(scopes)].join(' '), rest: { kind: 'all', of: rest } };
}

function membersOf(condition: Condition): readonly Condition[] {
  return condition.kind === 'all' ? condition.of.flatMap(membersOf) : [condition];
}

function isScope(
  condition: Condition,
): condition is Extract<Predicate, { operator: 'has' | 'has_all' | 'has_any'; values: readonly string[] }> {
  if (condition.kind !== 'predicate' || condition.attribute !== 'user.scope') return false;
  return (condition.operator === 'has' || condition.operator === 'has_all') && 'values' in condition;
}
