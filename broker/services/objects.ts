import { isIP } from 'node:net';
import type { Selectors } from '../../lib/attestation/index.ts';
import { listOf, type Pod, podSelectors, textOf } from '../attestors/kubernetes-selectors.ts';

/** What is kept of a Service. */
export type ServiceRecord = {
  readonly name: string;
  readonly namespace: string;
  /** `ClusterIP`, `ExternalName`, … */
  readonly type: string;
  /** None for a headless one. */
  readonly clusterIps: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Which of a pod's addresses is asked first. */
  readonly family: 4 | 6;
  /** The accounts whose pods may be behind it; null: any of its namespace. */
  readonly accounts: readonly string[] | null;
};

/** TCP alone. `name` is empty for the only one. */
export type ServicePort = { readonly name: string; readonly port: number };

/** What is kept of an EndpointSlice. */
export type SliceRecord = {
  readonly namespace: string;
  readonly service: string;
  readonly ports: readonly ServicePort[];
  readonly endpoints: readonly SliceEndpoint[];
};

export type SliceEndpoint = {
  readonly address: string;
  /** Null where no pod stands behind it. */
  readonly pod: { readonly name: string; readonly uid: string } | null;
  readonly ready: boolean;
};

/** What is kept of an injected pod. */
export type PodRecord = {
  readonly uid: string;
  readonly account: string;
  readonly ips: readonly string[];
  /** Where its sidecar listens, and the app's port that this leads to; null: it takes no calls. */
  readonly inbound: { readonly port: number; readonly app: number } | null;
  /** Finished, or on the node's own address. */
  readonly unfit: boolean;
  readonly selectors: Selectors;
};

type Metadata = {
  readonly name?: unknown;
  readonly namespace?: unknown;
  readonly labels?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
};

export type KubernetesService = {
  readonly metadata?: Metadata;
  readonly spec?: {
    readonly type?: unknown;
    readonly clusterIP?: unknown;
    readonly clusterIPs?: readonly unknown[];
    readonly ipFamilies?: readonly unknown[];
    readonly ports?: readonly PortFields[];
  };
};

export type KubernetesSlice = {
  readonly metadata?: Metadata;
  readonly ports?: readonly PortFields[];
  readonly endpoints?: readonly {
    readonly addresses?: readonly unknown[];
    readonly conditions?: { readonly ready?: unknown; readonly terminating?: unknown };
    readonly targetRef?: { readonly kind?: unknown; readonly name?: unknown; readonly uid?: unknown };
  }[];
};

export type KubernetesPod = Pod & { readonly spec?: { readonly hostNetwork?: unknown } };

type PortFields = { readonly name?: unknown; readonly port?: unknown; readonly protocol?: unknown };

/** Where an injected sidecar listens, unless the pod says otherwise. */
const SIDECAR_PORT = 8443;
const MOST_PORTS = 64;
const MOST_ENDPOINTS = 1_000;
const MOST_ACCOUNTS = 64;

/** Undefined when it is not one. */
export function readService({ metadata, spec }: KubernetesService): ServiceRecord | undefined {
  const [name, namespace] = [textOf(metadata?.name), textOf(metadata?.namespace)];
  if (name === undefined || namespace === undefined) return undefined;
  const clusterIps = [spec?.clusterIPs ?? [spec?.clusterIP]].flat().filter(isAddress);
  return {
    ...{ name, namespace, clusterIps, ports: portsOf(spec?.ports) },
    type: textOf(spec?.type) ?? 'ClusterIP',
    family: spec?.ipFamilies?.[0] === 'IPv6' ? 6 : 4,
    accounts: accountsOf(metadata?.annotations?.['signet/service-accounts']),
  };
}

export function readSlice({ metadata, ports, endpoints }: KubernetesSlice): SliceRecord | undefined {
  const namespace = textOf(metadata?.namespace);
  const service = textOf(metadata?.labels?.['kubernetes.io/service-name']);
  if (namespace === undefined || service === undefined) return undefined;
  return {
    ...{ namespace, service, ports: portsOf(ports) },
    endpoints: listOf(endpoints)
      .slice(0, MOST_ENDPOINTS)
      .flatMap(({ addresses, conditions, targetRef }) => {
        // all addresses of one endpoint are the same, by definition: the first will do
        const address = Array.isArray(addresses) ? addresses[0] : undefined;
        if (!isAddress(address)) return [];
        const [name, uid] = [textOf(targetRef?.name), textOf(targetRef?.uid)];
        const isPod = targetRef?.kind === 'Pod' && name !== undefined && uid !== undefined;
        // nobody said that it is not: so says the API of `ready` that is left out
        const ready = (conditions?.ready ?? true) === true && conditions?.terminating !== true;
        return [{ address, pod: isPod ? { name, uid } : null, ready }];
      }),
  };
}

/** `annotations`: the names by which entries may select. */
export function readPod(
  cluster: string,
  pod: KubernetesPod,
  annotations: readonly string[],
): PodRecord | undefined {
  const { metadata, spec, status } = pod;
  const [uid, account] = [textOf(metadata?.uid), textOf(spec?.serviceAccountName)];
  if (uid === undefined || account === undefined) return undefined;
  const finished = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return {
    ...{ uid, account, inbound: inboundOf(metadata?.annotations ?? {}) },
    ips: listOf(status?.podIPs).flatMap(({ ip }) => (isAddress(ip) ? [ip] : [])),
    unfit: finished || spec?.hostNetwork === true,
    selectors: podSelectors(cluster, pod, annotations),
  };
}

/** What the injector wrote down: the sidecar's port, if it is another than usual, and the app's. */
function inboundOf(annotations: Readonly<Record<string, unknown>>): PodRecord['inbound'] {
  const app = portIn(annotations['signet/inbound']);
  if (app === undefined) return null;
  return { port: portIn(statusOf(annotations['signet/status'])) ?? SIDECAR_PORT, app };
}

function statusOf(annotation: unknown): unknown {
  try {
    const { inbound_port } = JSON.parse(String(annotation)) as { inbound_port?: unknown };
    return String(inbound_port);
  } catch {
    return undefined;
  }
}

/** `8080`, or with what the app speaks in front of it: `h2c://8080`. */
function portIn(value: unknown): number | undefined {
  const port = Number(/^(?:[a-z0-9]+:(?:\/\/)?)?(\d{1,5})$/.exec(textOf(value) ?? '')?.[1]);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function portsOf(ports: readonly PortFields[] | undefined): ServicePort[] {
  return listOf(ports)
    .slice(0, MOST_PORTS)
    .flatMap(({ name, port, protocol }) => {
      const isTcp = protocol === undefined || protocol === 'TCP';
      return isTcp && typeof port === 'number' ? [{ name: textOf(name) ?? '', port }] : [];
    });
}

function accountsOf(annotation: unknown): readonly string[] | null {
  if (annotation === undefined) return null;
  // one that cannot be read names nobody
  return (textOf(annotation) ?? '')
    .split(/[\s,]+/)
    .filter(Boolean)
    .slice(0, MOST_ACCOUNTS);
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && isIP(value) !== 0;
}
