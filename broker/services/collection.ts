import type { Clock } from '../../lib/adapter/clock.ts';
import { type KubernetesApi, KubernetesError } from '../../lib/adapter/kubernetes/index.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { retryDelay } from '../../lib/rotation/index.ts';

/** The objects of one kind, as the API server last told of them. What was last good stays while it is away. */
export interface Collection<R> {
  /** By `namespace/name`. */
  readonly records: ReadonlyMap<string, R>;
  /** When this was last known to be all there is; undefined before the first time. */
  readonly seenAt: Date | undefined;
  run(signal: AbortSignal): Promise<void>;
}

export type CollectionDeps<T, R> = {
  readonly api: KubernetesApi;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** What is kept of an object; undefined: nothing. */
  readonly read: (object: T) => R | undefined;
  readonly changed: () => void;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** How often all of it is read again, whatever the watch said. */
  readonly resyncMs?: number;
};

type Labelled = { readonly metadata?: { readonly [field: string]: unknown } };

const MOST_RECORDS = 50_000;
const RESYNC_MS = 10 * 60_000;
/** Failures in a row. */
const RELIST_AFTER = 4;

export function createCollection<T extends Labelled, R>(deps: CollectionDeps<T, R>): Collection<R> {
  const { api, path, query = {}, read, changed, clock, log, random, resyncMs = RESYNC_MS } = deps;
  let records = new Map<string, R>();
  let seenAt: Date | undefined;
  let version = '';
  let listedAt = 0;
  let fault = '';

  const put = (into: Map<string, R>, object: T) => {
    const key = keyOf(object);
    const record = read(object);
    if (record === undefined) into.delete(key);
    else if (into.size < MOST_RECORDS || into.has(key)) into.set(key, record);
  };
  const seen = () => {
    seenAt = clock.now();
    if (fault !== '') log.info('kubernetes_watch_restored', { cluster: api.cluster, path, after: fault });
    fault = '';
  };
  const list = async () => {
    const fresh = new Map<string, R>();
    let [listed, at] = [0, ''];
    for await (const { items, resourceVersion } of api.pages<T>(path, query)) {
      for (const item of items) put(fresh, item);
      at = resourceVersion;
      listed += items.length;
      if (listed <= MOST_RECORDS) continue;
      log.error('kubernetes_too_many', { cluster: api.cluster, path, most: MOST_RECORDS });
      break;
    }
    records = fresh;
    version = at;
    listedAt = performance.now();
    seen();
    changed();
  };
  const follow = async (signal: AbortSignal) => {
    const left = Math.max(0, Math.ceil(resyncMs * (0.9 + random() / 5) - (performance.now() - listedAt)));
    const turn = AbortSignal.any([signal, AbortSignal.timeout(left)]);
    for await (const { type, object } of api.watch<T>(path, { ...query, resourceVersion: version }, turn)) {
      const { resourceVersion } = object.metadata ?? {};
      if (typeof resourceVersion === 'string') version = resourceVersion;
      seen();
      if (type === 'BOOKMARK') continue;
      if (type === 'DELETED') records.delete(keyOf(object));
      else put(records, object);
      changed();
    }
    // what the server ended goes on where it stood; what is due is read again
    if (turn.aborted) version = '';
  };

  return {
    get records() {
      return records;
    },
    get seenAt() {
      return seenAt;
    },
    async run(signal) {
      for (let attempt = 0; !signal.aborted; ) {
        const began = performance.now();
        try {
          if (version === '') await list();
          await follow(signal);
          // a watch that a server ends at once must not make us ask without a pause
          attempt = performance.now() - began < 1_000 ? attempt + 1 : 0;
        } catch (error) {
          const code = error instanceof KubernetesError ? error.code : 'internal';
          if (code === 'K8S_GONE') version = '';
          else if (code !== fault) {
            const age = seenAt === undefined ? null : (clock.now().getTime() - seenAt.getTime()) / 1000;
            log.warn('kubernetes_watch_failed', {
              ...{ cluster: api.cluster, path, code, age_seconds: age },
              reason: error,
            });
            fault = code;
          }
          // nor one that says again and again that it is gone
          attempt++;
          // where it stood may mean nothing any more: a server that was restored from a backup
          if (attempt % RELIST_AFTER === 0) version = '';
        }
        if (attempt > 0) await sleep(retryDelay(attempt, random()), signal);
      }
    },
  };
}

function keyOf({ metadata }: Labelled): string {
  return `${metadata?.['namespace']}/${metadata?.['name']}`;
}
