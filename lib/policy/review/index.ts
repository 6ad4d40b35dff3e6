import type { PolicyDocument } from '../document.ts';
import { neverMatches } from './never.ts';
import { shadowOf } from './shadow.ts';

export { attributesOf, predicatesOf } from './members.ts';

/** A rule that does nothing. Only what is certain is said: a rule without a warning may do nothing as well. */
export type PolicyWarning = { readonly target: string; readonly rule: string; readonly message: string };

/** More rules of one target than this are not compared with each other. */
const MAX_COMPARED = 1_000;

export function reviewPolicies(documents: readonly PolicyDocument[], now: Date): PolicyWarning[] {
  const warnings: PolicyWarning[] = [];
  const byTarget = Map.groupBy(documents, ({ target }) => target.toString());
  for (const document of documents) {
    const { name, target } = document;
    const never = neverMatches(document, now);
    const own = byTarget.get(target.toString()) ?? [];
    const message = never ?? (own.length > MAX_COMPARED ? null : shadowOf(document, own));
    if (message !== null) warnings.push({ target: target.toString(), rule: name, message });
  }
  return warnings;
}
