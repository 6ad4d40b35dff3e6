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
const MOST_ENDPOINTS = 20_000;

/** Beyond what may be listed, Services are left out, the last by name first: `leftOut` of them. */
export function directoryOf(sources: Sources): { readonly directory: Directory; readonly leftOut: number } {
  const { cluster } = sources;
  const slices = Map.groupBy(sources.slices, ({ namespace, service }) => `${namespace}/${service}`);
  const all = [...sources.services].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const services: ListedService[] = [];
  let endpoints = 0;
  for (const service of all) {
    const listed = listedService(service, slices.get(keyOf(service)) ?? [], sources);
    for (const port of listed.ports) endpoints += port.endpoints.length;
    if (services.length >= MOST_SERVICES || endpoints > MOST_ENDPOINTS) break;
    services.push(listed);
  }
  const version = createHash('sha256')
    .update(JSON.stringify([cluster, services]))
    .digest('base64url');
  return { directory: { cluster, version, services }, leftOut: all.length - services.length };
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
  const reasons = new Set<Absence>();
  const candidates: Candidate[] = [];
  for (const slice of slices)
    for (const endpoint of slice.endpoints) {
      const found = candidateOf(service, endpoint, sources);
      if (typeof found === 'string') reasons.add(found);
      else candidates.push({ ...found, slice, ready: endpoint.ready });
    }
  const ports = service.ports.map((port) => listedPort(service, port, candidates));
  // there may be pods that are not ready, or none at present: then it is there, and empty
  const served = candidates.some(({ slice, pod }) => service.ports.some((port) => leadsTo(slice, port, pod)));
  if (served || (candidates.length === 0 && reasons.size === 0)) return { ...common, ports };
  return { ...common, absent: candidates.length > 0 ? 'other_port' : nearest(reasons), ports: [] };
}

type Found = { readonly address: string; readonly pod: PodRecord; readonly id: string };
type Candidate = Found & { readonly slice: SliceRecord; readonly ready: boolean };

/**
 * The pod behind an endpoint. Whoever may write EndpointSlices of a namespace could point one anywhere: only the namespace's own pods
 * count, and of these only the addresses that the kubelet reported.
 */
function candidateOf(
  { namespace, accounts }: ServiceRecord,
  { address, pod: named }: SliceRecord['endpoints'][number],
  { pods, idOf }: Sources,
): Found | Absence {
  const pod = named === null ? undefined : pods.get(`${namespace}/${named.name}`);
  if (pod === undefined || pod.uid !== named?.uid || pod.unfit || !pod.ips.includes(address))
    return 'not_injected';
  if (accounts !== null && !accounts.includes(pod.account)) return 'other_account';
  if (pod.inbound === null) return 'other_port';
  const id = idOf(pod);
  return id === undefined ? 'no_identity' : { address, pod, id };
}

function listedPort(
  { family, clusterIps }: ServiceRecord,
  port: ServicePort,
  candidates: readonly Candidate[],
): ListedPort {
  const chosen = new Map<PodRecord, Candidate>();
  const targets = new Set<number>();
  for (const candidate of candidates) {
    const { slice, pod, address, ready } = candidate;
    if (!ready || !leadsTo(slice, port, pod)) continue;
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

/** The sidecar's listener leads to one port of the app: calls for any other of its ports must not end there. */
function leadsTo(slice: SliceRecord, { name }: ServicePort, pod: PodRecord): boolean {
  return slice.ports.some((each) => each.name === name && each.port === pod.inbound?.app);
}

const NEAREST: readonly Absence[] = ['no_identity', 'other_port', 'other_account', 'not_injected'];

function nearest(reasons: ReadonlySet<Absence>): Absence {
  return NEAREST.find((reason) => reasons.has(reason)) ?? 'not_injected';
}

function keyOf({ namespace, name }: ServiceRecord): string {
  return `${namespace}/${name}`;
}
