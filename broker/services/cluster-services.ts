import type { Clock } from '../../lib/adapter/clock.ts';
import type { KubernetesApi } from '../../lib/adapter/kubernetes/index.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Gauge } from '../../lib/adapter/metrics.ts';
import type { Registrations, Snapshot } from '../registrations.ts';
import { createCollection } from './collection.ts';
import { type Directory, directoryOf } from './directory.ts';
import { type KubernetesPod, type KubernetesSlice, readPod, readService, readSlice } from './objects.ts';
import { podIds } from './pod-ids.ts';

/** What one cluster's sidecars are told, kept in step with its API server and with what is registered. */
export interface ClusterServices {
  /** Undefined until all of it was read once. The last good one stays while the API server or Vault is away. */
  readonly directory: Directory | undefined;
  /** When it was last known to be true. */
  readonly seenAt: Date | undefined;
  /** Settles with the next change, after `ms`, or when the broker ends. */
  changed(ms: number): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

export type ClusterServicesDeps = {
  readonly api: KubernetesApi;
  readonly annotations: readonly string[];
  readonly registrations: Pick<Registrations, 'current'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly counts: Gauge;
  readonly seen: Gauge;
  readonly random: () => number;
};

/** Changes come in crowds: what comes within this is one. */
const GATHER_MS = 50;
const LOOK_MS = 1_000;
/** The list goes whole to every sidecar: a namespace that changes without end may have it sent this often, and no oftener. */
const PACE_MS = 1_000;
const INJECTED = { labelSelector: 'signet/injected=true' };

export function createClusterServices(deps: ClusterServicesDeps): ClusterServices {
  const { api, annotations, registrations, clock, log, counts, seen, random } = deps;
  const { cluster } = api;
  const waiting = new Set<() => void>();
  let woken = new AbortController();
  let dirty = true;
  let over = false;
  let directory: Directory | undefined;
  let registered: Snapshot | undefined;
  let idOf: ReturnType<typeof podIds> = () => undefined;
  let leftOut = 0;

  const changed = () => {
    dirty = true;
    woken.abort();
  };
  const common = { api, changed, clock, log, random };
  const services = createCollection({ ...common, path: '/api/v1/services', read: readService });
  const slices = createCollection<KubernetesSlice, ReturnType<typeof readSlice>>({
    ...{ ...common, path: '/apis/discovery.k8s.io/v1/endpointslices', read: readSlice },
  });
  const pods = createCollection({
    ...{ ...common, path: '/api/v1/pods', query: INJECTED },
    read: (pod: KubernetesPod) => readPod(cluster, pod, annotations),
  });
  const all = [services, slices, pods] as const;
  const seenAt = () => {
    const times = all.map((each) => each.seenAt?.getTime());
    return times.includes(undefined) ? undefined : new Date(Math.min(...(times as number[])));
  };

  const look = async () => {
    const snapshot = await registrations.current();
    if (snapshot.entries === registered?.entries) return;
    registered = snapshot;
    idOf = podIds(snapshot.entries.values());
    dirty = true;
  };
  const assemble = () => {
    dirty = false;
    const found = directoryOf({
      cluster,
      services: services.records.values(),
      slices: [...slices.records.values()].filter((slice) => slice !== undefined),
      pods: pods.records,
      idOf,
    });
    if (found.leftOut > 0 && leftOut === 0)
      log.error('services_left_out', { cluster, services: found.leftOut });
    leftOut = found.leftOut;
    if (found.directory.version === directory?.version) return;
    directory = found.directory;
    const absent = directory.services.filter((service) => service.absent !== undefined).length;
    counts.set(directory.services.length - absent, { cluster, state: 'listed' });
    counts.set(absent, { cluster, state: 'absent' });
    counts.set(leftOut, { cluster, state: 'left_out' });
    log.info('services', {
      cluster,
      version: directory.version,
      services: directory.services.length,
      absent,
    });
    for (const wake of waiting) wake();
  };
  const keep = async (signal: AbortSignal) => {
    let fault = '';
    let assembledAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      woken = new AbortController();
      try {
        await look();
        fault = '';
      } catch (error) {
        if (!signal.aborted && fault !== String(error))
          log.warn('services_registrations_unavailable', { cluster, reason: error });
        fault = String(error);
      }
      const at = seenAt();
      if (at !== undefined) seen.set(at.getTime() / 1000, { cluster });
      if (dirty && at !== undefined && registered !== undefined) {
        assembledAt = performance.now();
        try {
          assemble();
        } catch (error) {
          // what one namespace wrote takes no broker down: the last good list stays
          log.error('services_not_assembled', { cluster, reason: error });
        }
      }
      await sleep(LOOK_MS, AbortSignal.any([signal, woken.signal]));
      if (dirty) await sleep(Math.max(GATHER_MS, assembledAt + PACE_MS - performance.now()), signal);
    }
    over = true;
    for (const wake of waiting) wake();
  };

  return {
    get directory() {
      return directory;
    },
    get seenAt() {
      return seenAt();
    },
    async changed(ms) {
      if (over) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      waiting.add(resolve);
      await promise;
      waiting.delete(resolve);
      clearTimeout(timer);
    },
    async run(signal) {
      await Promise.all([...all.map((each) => each.run(signal)), keep(signal)]);
    },
  };
}
