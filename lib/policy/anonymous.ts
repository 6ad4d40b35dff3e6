import { ANONYMOUS } from './caller.ts';
import type { Condition, PolicyDocument, Predicate } from './document.ts';

/**
 * What a rule asks of an anonymous caller; null when it never matches one. A deny asks the same of everybody. An allow has to hold
 * because `anonymous` is named: of an `all` one member names it, of an `any` the branch that holds. A rule that speaks of no caller, or
 * says who the caller is not, was written for those who have an identity, and opens to nobody else.
 */
export function anonymousCondition({ effect, when }: PolicyDocument): Condition | null {
  return effect === 'deny' ? when : naming(when, false);
}

/** What is left of a condition that has to hold by naming. Below an odd number of `not`, `all` and `any` change places (De Morgan). */
function naming(condition: Condition, negated: boolean): Condition | null {
  if (condition.kind === 'not') return naming(condition.of, !negated);
  if (condition.kind === 'predicate') return !negated && names(condition) ? condition : null;
  const named = condition.of.map((branch) => naming(branch, negated)).filter((branch) => branch !== null);
  if (named.length === 0) return null;
  const either: Condition = { kind: 'any', of: named };
  if ((condition.kind === 'all') === negated) return either;
  return { kind: 'all', of: [negated ? { kind: 'not', of: condition } : condition, either] };
}

function names(predicate: Predicate): boolean {
  const { attribute, operator } = predicate;
  if (attribute !== 'caller' || (operator !== 'is' && operator !== 'in')) return false;
  return 'values' in predicate && predicate.values.includes(ANONYMOUS);
}
