import { type Entry, parseIdTemplate, renderId, type Selectors } from '../../lib/attestation/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';

/** What nobody knows of a pod before it runs. */
const LATER = ['k8s:pod', 'k8s:uid', 'k8s:node', 'k8s:image'];

/**
 * Whether some entry would give this ID to a pod with these selectors, when what is not known yet turns out well. It is a promise to
 * nobody: which entry wins is settled when the pod comes with its token.
 */
export function gives(entries: Iterable<Entry>, found: Selectors, id: SpiffeId): boolean {
  for (const entry of entries)
    if (entry.state === 'active' && fits(entry, found) && rendersTo(entry, found, id)) return true;
  return false;
}

function fits({ match }: Entry, found: Selectors): boolean {
  return Object.entries(match).every(([key, wanted]) => {
    const values = found.get(key);
    return values === undefined ? LATER.includes(key) : values.includes(wanted);
  });
}

/** An ID made of something that is not known yet cannot be expected by name. */
function rendersTo({ spiffe_id, match }: Entry, found: Selectors, id: SpiffeId): boolean {
  const pinned = Object.entries(match).map(([key, value]) => [key, [value]] as const);
  try {
    return renderId(parseIdTemplate(spiffe_id), new Map([...found, ...pinned])).equals(id);
  } catch {
    return false;
  }
}
