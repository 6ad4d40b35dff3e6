import type { Clock } from '../../lib/adapter/clock.ts';
import type { KubernetesApi } from '../../lib/adapter/kubernetes/index.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Registrations } from '../registrations.ts';
import { type ClusterServices, createClusterServices } from './cluster-services.ts';

export type { ClusterServices } from './cluster-services.ts';

/** The Services of each cluster. One is watched from the first question about it on: who never asks pays nothing. */
export interface Services {
  /** Undefined where there is no such cluster to ask; without a name, the only one. */
  of(cluster: string | undefined): ClusterServices | undefined;
  /** Whether a Service of a cluster that is watched goes by `name.namespace`. */
  has(host: string): boolean;
  /** Ends when `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
}

export type ServicesDeps = {
  readonly clusters: ReadonlyMap<string, KubernetesApi>;
  /** The names of annotations by which entries may select. */
  readonly annotations: readonly string[];
  readonly registrations: Pick<Registrations, 'current'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly random: () => number;
};

export function createServices(deps: ServicesDeps): Services {
  const { clusters, metrics } = deps;
  const shared = {
    ...deps,
    counts: metrics.gauge(
      'signet_broker_services',
      'Services of a cluster, by whether sidecars can call them',
    ),
    seen: metrics.gauge(
      'signet_broker_services_seen_seconds',
      'when the Services of a cluster were last known to be all there are, in seconds since 1970',
    ),
  };
  const known = new Map<string, ClusterServices>();
  const ended = new AbortController();
  const running = new Set<Promise<void>>();
  return {
    of(cluster) {
      const [only, ...others] = clusters.keys();
      const name = cluster ?? (others.length === 0 ? only : undefined);
      const api = name === undefined ? undefined : clusters.get(name);
      if (name === undefined || api === undefined) return undefined;
      const there = known.get(name);
      if (there !== undefined) return there;
      const begun = createClusterServices({ ...shared, api });
      known.set(name, begun);
      running.add(begun.run(ended.signal));
      return begun;
    },
    has: (host) =>
      [...known.values()].some(({ directory }) =>
        directory?.services.some(({ name, namespace }) => `${name}.${namespace}` === host),
      ),
    async run(signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (!signal.aborted) await promise;
      ended.abort();
      await Promise.all(running);
    },
  };
}
