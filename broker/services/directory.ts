import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { PodRecord, ServicePort, ServiceRecord, SliceRecord } from './objects.ts';

/** The Services of one cluster as sidecars see them. The same objects and registrations give the same, whichever broker looks. */
export type Directory = {
  readonly cluster: string;
  /** The hash of all that follows. */
  readonly version: string;
  readonly services: readonly ListedService[];
};

export type ListedService = {
  readonly name: string;
  readonly namespace: string;
  readonly cluster_ips: readonly string[];
  /** Why no sidecar can call it, if none can; then it has no ports. */
  readonly absent?: Absence;
  readonly ports: readonly ListedPort[];
};

export type ListedPort = {
  /** The Service's. */
  readonly port: number;
  /** The pods' own, of a headless Service: its callers connect to pods. 0 where that is not one number. */
  readonly target: number;
  readonly endpoints: readonly ListedEndpoint[];
};

/** Who has to answer there: the very pod that has the address. */
export type ListedEndpoint = { readonly address: string; readonly spiffe_id: string };

/**
 * - `external_name` it is another name for something that is no pod.
 * - `no_ports` it has no TCP port.
 * - `not_injected` it has endpoints, and none of them is an injected pod.
 * - `other_port` its injected pods take calls for other ports than the Service's.
 * - `other_account` its annotation `signet/service-accounts` names none of its pods' accounts.
 * - `no_identity` no registration gives its pods an ID.
 */
export type Absence =
  | 'external_name'
  | 'no_ports'
  | 'not_injected'
  | 'other_port'
  | 'other_account'
  | 'no_identity';

export type Sources = {
  readonly cluster: string;
  readonly services: Iterable<ServiceRecord>;
  readonly slices: Iterable<SliceRecord>;
  /** Injected pods, by `namespace/name`. */
  readonly pods: ReadonlyMap<string, PodRecord>;
  /** The ID that a pod would get, undefined where it would get none. */
  readonly idOf: (pod: PodRecord) => string | undefined;
};

const MOST_SERVICES = 5_000;
/** Each sidecar holds all of it. */
const MOST_PORTS = 20_000;
const MOST_ENDPOINTS = 20_000;
/** Of all of it as JSON: a sidecar stops reading at 40 MiB, and registered services come with it. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Beyond what may be listed, `leftOut` Services are left out: those of the namespaces that have most. */
export function directoryOf(sources: Sources): { readonly directory: Directory; readonly leftOut: number } {
  const { cluster } = sources;
  const slices = Map.groupBy(sources.slices, ({ namespace, service }) => `${namespace}/${service}`);
  const all = [...sources.services]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((service) => listedService(service, slices.get(keyOf(service)) ?? [], sources));
  const services = fitting(all);
  const version = createHash('sha256')
    .update(JSON.stringify([cluster, services]))
    .digest('base64url');
  return { directory: { cluster, version, services }, leftOut: all.length - services.length };
}

/** What one Service takes of what may be listed besides its ports and endpoints, and in them. */
const SHARE = MOST_ENDPOINTS / MOST_SERVICES;

/** No namespace gets more while another lacks what it has already: whoever makes many in one takes nothing from the others. */
function fitting(all: readonly ListedService[]): readonly ListedService[] {
  const taken = new Map<string, number>();
  const ranked = all.map((service, at) => {
    const endpoints = service.ports.reduce((sum, port) => sum + port.endpoints.length, 0);
    const rank = (taken.get(service.namespace) ?? 0) + SHARE + service.ports.length + endpoints;
    taken.set(service.namespace, rank);
    return { service, at, endpoints, rank };
  });
  let [ports, places, bytes] = [MOST_PORTS, MOST_ENDPOINTS, MOST_BYTES];
  return ranked
    .sort((a, b) => a.rank - b.rank || a.at - b.at)
    .filter(({ service, endpoints }) => {
      const size = sizeOf(service);
      if (service.ports.length > ports || endpoints > places || size > bytes) return false;
      ports -= service.ports.length;
      places -= endpoints;
      bytes -= size;
      return true;
    })
    .slice(0, MOST_SERVICES)
    .sort((a, b) => a.at - b.at)
    .map(({ service }) => service);
}

/** As JSON, and rather more than less: names, numbers, and what stands between them. */
function sizeOf({ name, namespace, cluster_ips, ports }: ListedService): number {
  let size = 160 + name.length + namespace.length + cluster_ips.length * 64 + ports.length * 64;
  for (const { endpoints } of ports)
    for (const { address, spiffe_id } of endpoints) size += 40 + address.length + spiffe_id.length;
  return size;
}

function listedService(
  service: ServiceRecord,
  slices: readonly SliceRecord[],
  sources: Sources,
): ListedService {
  const { name, namespace, clusterIps } = service;
  const common = { name, namespace, cluster_ips: clusterIps };
  if (service.type === 'ExternalName') return { ...common, absent: 'external_name', ports: [] };
  if (service.ports.length === 0) return { ...common, absent: 'no_ports', ports: [] };
  const { candidates, reasons } = candidatesOf(service, slices, sources);
  const ports = service.ports.map((port) => listedPort(service, port, candidates));
  // there may be pods that are not ready, or none at present: then it is there, and empty
  const served = candidates.some(({ names }) => service.ports.some(({ name }) => names.has(name)));
  if (served || (candidates.length === 0 && reasons.size === 0)) return { ...common, ports };
  return { ...common, absent: candidates.length > 0 ? 'other_port' : nearest(reasons), ports: [] };
}

type Candidate = {
  readonly address: string;
  readonly pod: PodRecord;
  readonly id: string;
  readonly ready: boolean;
  /**
   * Of the Service's ports that lead where the pod's sidecar does: it leads to one port of the app, and calls for any other of its ports
   * must not end there.
   */
  readonly names: Set<string>;
};

/** Each pod by each of its addresses once, however many slices name it, and however often. */
function candidatesOf(
  service: ServiceRecord,
  slices: readonly SliceRecord[],
  sources: Sources,
): { readonly candidates: readonly Candidate[]; readonly reasons: ReadonlySet<Absence> } {
  const reasons = new Set<Absence>();
  const known = new Map<string, Candidate | Absence>();
  for (const slice of slices) {
    const names = Map.groupBy(slice.ports, ({ port }) => port);
    const merged = new Set<Candidate>();
    for (const endpoint of slice.endpoints) {
      const { pod, address, ready } = endpoint;
      const key = `${pod?.uid}/${pod?.name}/${address}/${ready}`;
      const found = known.get(key) ?? candidateOf(service, endpoint, sources);
      known.set(key, found);
      if (typeof found === 'string') reasons.add(found);
      else if (!merged.has(found)) {
        merged.add(found);
        for (const { name } of names.get(found.pod.inbound!.app) ?? []) found.names.add(name);
      }
    }
  }
  return { candidates: [...known.values()].filter((each) => typeof each !== 'string'), reasons };
}

/**
 * The pod behind an endpoint. Whoever may write EndpointSlices of a namespace could point one anywhere: only the namespace's own pods
 * count, and of these only the addresses that the kubelet reported.
 */
function candidateOf(
  { namespace, accounts }: ServiceRecord,
  { address, pod: named, ready }: SliceRecord['endpoints'][number],
  { pods, idOf }: Sources,
): Candidate | Absence {
  const pod = named === null ? undefined : pods.get(`${namespace}/${named.name}`);
  if (pod === undefined || pod.uid !== named?.uid || pod.unfit || !pod.ips.includes(address))
    return 'not_injected';
  if (accounts !== null && !accounts.includes(pod.account)) return 'other_account';
  if (pod.inbound === null) return 'other_port';
  const id = idOf(pod);
  return id === undefined ? 'no_identity' : { address, pod, id, ready, names: new Set() };
}

function listedPort(
  { family, clusterIps }: ServiceRecord,
  port: ServicePort,
  candidates: readonly Candidate[],
): ListedPort {
  const chosen = new Map<PodRecord, Candidate>();
  const targets = new Set<number>();
  for (const candidate of candidates) {
    const { names, pod, address, ready } = candidate;
    if (!ready || !names.has(port.name)) continue;
    targets.add(pod.inbound!.app);
    // a pod with addresses of both families is one endpoint
    if (!chosen.has(pod) || isIP(address) === family) chosen.set(pod, candidate);
  }
  const [target = 0, ...others] = targets;
  return {
    port: port.port,
    target: clusterIps.length > 0 || others.length > 0 ? 0 : target,
    endpoints: Array.from(chosen.values(), listedEndpoint).sort((a, b) => (a.address < b.address ? -1 : 1)),
  };
}

function listedEndpoint({ address, pod, id }: Candidate): ListedEndpoint {
  const host = isIP(address) === 6 ? `[${address}]` : address;
  return { address: `${host}:${pod.inbound!.port}`, spiffe_id: id };
}

const NEAREST: readonly Absence[] = ['no_identity', 'other_port', 'other_account', 'not_injected'];

function nearest(reasons: ReadonlySet<Absence>): Absence {
  return NEAREST.find((reason) => reasons.has(reason)) ?? 'not_injected';
}

function keyOf({ namespace, name }: ServiceRecord): string {
  return `${namespace}/${name}`;
}
