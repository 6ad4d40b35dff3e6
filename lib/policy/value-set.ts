import type { Scalar } from './document.ts';

const sets = new WeakMap<readonly Scalar[], ReadonlySet<Scalar>>();

/** The values as a set, made once: many rules may use one named set. */
export function setOf(values: readonly Scalar[]): ReadonlySet<Scalar> {
  let set = sets.get(values);
  if (set === undefined) sets.set(values, (set = new Set(values)));
  return set;
}
