import { type Entry, matchEntries, parseIdTemplate, renderId } from '../../lib/attestation/index.ts';
import { SpiffeError } from '../../lib/spiffe/index.ts';
import type { PodRecord } from './objects.ts';

/** As many as there may be pods: labels can be changed without end. */
const MOST_KINDS = 50_000;

/**
 * The ID that each pod would get if it showed its token now: the answer of `matchEntries` and nothing else. That of a disabled entry counts
 * too: who runs by it goes on while its SVID lasts, and is found until then. Pods that differ in nothing that any entry asks for are matched once.
 */
export function podIds(all: Iterable<Entry>): (pod: PodRecord) => string | undefined {
  const entries = [...all].filter(({ match }) => Object.keys(match).every((key) => key.startsWith('k8s:')));
  const asked = [...new Set(entries.flatMap(({ match }) => Object.keys(match)))].sort();
  const outcomes = new Map<string, Entry | undefined>();
  return ({ selectors }) => {
    const likeness = JSON.stringify(asked.map((key) => selectors.get(key) ?? null));
    if (!outcomes.has(likeness)) {
      if (outcomes.size >= MOST_KINDS) outcomes.clear();
      const outcome = matchEntries(entries, selectors);
      outcomes.set(
        likeness,
        outcome.kind === 'matched' || outcome.kind === 'disabled' ? outcome.entry : undefined,
      );
    }
    const entry = outcomes.get(likeness);
    if (entry === undefined) return undefined;
    try {
      return renderId(parseIdTemplate(entry.spiffe_id), selectors).toString();
    } catch (error) {
      // a value that cannot stand in an ID: such a pod gets none
      if (error instanceof SpiffeError) return undefined;
      throw error;
    }
  };
}
