import type { Condition, PolicyDocument, Predicate } from '../../lib/policy/index.ts';

/** Every comparison of a condition. */
export function predicatesOf(condition: Condition): readonly Predicate[] {
  if (condition.kind === 'not') return predicatesOf(condition.of);
  return condition.kind === 'predicate' ? [condition] : condition.of.flatMap(predicatesOf);
}

export function asks(documents: readonly PolicyDocument[], attribute: string): boolean {
  return documents.some(({ when }) =>
    predicatesOf(when).some((predicate) => predicate.attribute === attribute),
  );
}
