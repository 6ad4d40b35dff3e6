import type { KubernetesApi } from '../../lib/adapter/kubernetes/index.ts';
import { createRateLimit } from '../limits.ts';
import { ALLOW } from './annotations.ts';
import { recordOf, textsOf } from './values.ts';

/** What a namespace, whose writers are the cluster's administrators, says of its pods. */
export interface Namespaces {
  /** The words of `signet/allow`. @throws KubernetesError, and Problem `rate_limited` when `source` asks for too many */
  allowed(name: string, source?: string): Promise<readonly string[]>;
}

/** How long what was read is good. An administrator who takes a permission away waits no longer. */
const GOOD_MS = 5_000;
const MOST = 1_000;
const MOST_WORDS = 32;
/** Looks a second for one source, five times as many at once: anybody may make up namespaces, and the API server has other work. */
const LOOKS = 50;

type Kept = { readonly until: number; readonly words: Promise<readonly string[]> };

/** Asks at most once for each in that time, however many pods come. `now` is in milliseconds and never goes back. */
export function createNamespaces(api: Pick<KubernetesApi, 'get'>, now: () => number): Namespaces {
  const kept = new Map<string, Kept>();
  const looks = createRateLimit(LOOKS, now);
  return {
    async allowed(name, source = '') {
      const found = kept.get(name);
      if (found !== undefined && found.until > now()) return found.words;
      looks.take(source);
      const words = api.get<unknown>(`/api/v1/namespaces/${encodeURIComponent(name)}`).then(wordsOf);
      const fresh = { until: now() + GOOD_MS, words };
      // a failure is not kept: the next pod asks again
      words.catch(() => kept.get(name) === fresh && kept.delete(name));
      kept.delete(name);
      if (kept.size >= MOST) kept.delete(kept.keys().next().value ?? '');
      kept.set(name, fresh);
      return words;
    },
  };
}

function wordsOf(namespace: unknown): readonly string[] {
  const annotations = textsOf(recordOf(recordOf(namespace)['metadata'])['annotations']);
  return (annotations[ALLOW] ?? '')
    .split(/[\s,]+/)
    .filter(Boolean)
    .slice(0, MOST_WORDS);
}
