import { certainTest } from './certain.ts';
import { judgeOf, NO, type Outcome, UNCLEAR, YES } from './comparing.ts';
import type { Condition, Effect } from './document.ts';
import type { Subject } from './reading.ts';

export type Matcher = (subject: Subject) => boolean;

/**
 * A condition as a function. What is missing or unclear counts against the request: an allow wants every comparison, or its opposite
 * below `not`, to be shown; a deny holds unless the opposite is shown, but for an attribute that is absent.
 */
export function matcherOf(condition: Condition, effect: Effect, negated = false): Matcher {
  if (condition.kind === 'not') return matcherOf(condition.of, effect, !negated);
  if (condition.kind === 'predicate') {
    const certain = certainTest(condition);
    if (certain !== null) return negated ? (subject) => !certain(subject) : certain;
    const judge = judgeOf(condition);
    if (effect === 'deny') return (subject) => isMet(judge(subject), 'deny', negated);
    const wanted = negated ? NO : YES;
    return (subject) => judge(subject) === wanted;
  }
  const matchers = condition.of.map((branch) => matcherOf(branch, effect, negated));
  // De Morgan: below an odd number of `not`, `all` and `any` change places.
  if ((condition.kind === 'all') !== negated) {
    return (subject) => {
      for (const matches of matchers) if (!matches(subject)) return false;
      return true;
    };
  }
  return (subject) => {
    for (const matches of matchers) if (matches(subject)) return true;
    return false;
  };
}

/** Whether a comparison is satisfied where it stands: in a rule of this effect, below an odd number of `not` if `negated`. */
export function isMet(outcome: Outcome, effect: Effect, negated: boolean): boolean {
  if (effect === 'allow') return outcome === (negated ? NO : YES);
  return negated ? outcome !== YES : outcome === YES || outcome === UNCLEAR;
}
