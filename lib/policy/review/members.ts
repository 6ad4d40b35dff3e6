import type { Condition, Predicate } from '../document.ts';

/** What must all hold for a condition to hold. */
export function membersOf(condition: Condition): readonly Condition[] {
  return condition.kind === 'all' ? condition.of.flatMap(membersOf) : [condition];
}

/** Every comparison of a condition, wherever it stands. */
export function predicatesOf(condition: Condition): readonly Predicate[] {
  if (condition.kind === 'not') return predicatesOf(condition.of);
  return condition.kind === 'predicate' ? [condition] : condition.of.flatMap(predicatesOf);
}

/** Attributes that a comparison asks about, those that it compares with included. */
export function attributesOf(condition: Condition): readonly string[] {
  return predicatesOf(condition).flatMap((predicate) => {
    if ('pairs' in predicate) return [predicate.from.attribute, predicate.to.attribute];
    return 'other' in predicate ? [predicate.attribute, predicate.other.attribute] : [predicate.attribute];
  });
}
