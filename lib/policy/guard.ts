import type { Condition, Predicate } from './document.ts';
import type { PathTemplate } from './path.ts';

/** Paths that agree with `segments`, and if `open` also those that go on after them. */
export type PathKey = PathTemplate;

/**
 * What a request must at least be for a condition to hold: one of these paths, of these methods, of these callers; null for any. Never
 * too narrow, perhaps too wide: it decides which rules are looked at, the condition decides which ones match.
 */
export type Guard = {
  readonly paths: readonly PathKey[] | null;
  readonly methods: readonly string[] | null;
  readonly callers: readonly string[] | null;
};

const ANYTHING: Guard = { paths: null, methods: null, callers: null };
/** A wider list than this is not worth its entries in the index. */
const MAX_KEYS = 64;

export function guardOf(condition: Condition): Guard {
  switch (condition.kind) {
    case 'predicate':
      return guardOfPredicate(condition);
    case 'not':
      return ANYTHING;
    case 'all': {
      const guards = condition.of.map(guardOf);
      return {
        paths: narrowest(guards.map((guard) => guard.paths)),
        methods: narrowest(guards.map((guard) => guard.methods)),
        callers: narrowest(guards.map((guard) => guard.callers)),
      };
    }
    case 'any': {
      const guards = condition.of.map(guardOf);
      return {
        paths: union(guards.map((guard) => guard.paths)),
        methods: union(guards.map((guard) => guard.methods)),
        callers: union(guards.map((guard) => guard.callers)),
      };
    }
  }
}

function guardOfPredicate(predicate: Predicate): Guard {
  const { attribute } = predicate;
  if (attribute === 'path') return { ...ANYTHING, paths: bounded(pathKeys(predicate)) };
  if (!('values' in predicate) || 'patterns' in predicate) return ANYTHING;
  if (predicate.values.length > MAX_KEYS) return ANYTHING;
  const values = predicate.values.map(String);
  if (attribute === 'method') return { ...ANYTHING, methods: bounded(values) };
  return attribute === 'caller' ? { ...ANYTHING, callers: bounded(values) } : ANYTHING;
}

/** Null: any. */
function pathKeys(predicate: Predicate): PathKey[] | null {
  if ('template' in predicate) return [predicate.template];
  if ('prefix' in predicate)
    return [{ segments: segmentsOf(predicate.prefix.replace(/\/$/, '')), open: true }];
  if (!('values' in predicate)) return null;
  return predicate.values.map((path) => ({ segments: segmentsOf(String(path)), open: false }));
}

/** `/a/b` gives a and b, `/` one empty segment, the empty text none. */
function segmentsOf(path: string): string[] {
  return path.split('/').slice(1);
}

function narrowest<T>(lists: readonly (readonly T[] | null)[]): readonly T[] | null {
  return lists.reduce(
    (best, list) => (best === null || (list !== null && list.length < best.length) ? list : best),
    null,
  );
}

function union<T>(lists: readonly (readonly T[] | null)[]): readonly T[] | null {
  const known = lists.filter((list) => list !== null);
  return known.length === lists.length ? bounded(known.flat()) : null;
}

function bounded<T>(list: readonly T[] | null): readonly T[] | null {
  return list === null || list.length > MAX_KEYS ? null : list;
}
