import { parseSelectorKey, type Selectors, selectors } from '../../lib/attestation/index.ts';

/** What we read of a pod. It is a stranger's bytes: nothing of it need be there. */
export type Pod = {
  readonly metadata?: {
    readonly name?: unknown;
    readonly namespace?: unknown;
    readonly uid?: unknown;
    readonly deletionTimestamp?: unknown;
    readonly labels?: Readonly<Record<string, unknown>>;
    readonly annotations?: Readonly<Record<string, unknown>>;
  };
  readonly spec?: {
    readonly nodeName?: unknown;
    readonly serviceAccountName?: unknown;
    readonly containers?: readonly { readonly name?: unknown; readonly image?: unknown }[];
  };
  readonly status?: {
    readonly phase?: unknown;
    readonly podIPs?: readonly { readonly ip?: unknown }[];
    readonly containerStatuses?: readonly { readonly name?: unknown; readonly imageID?: unknown }[];
  };
};

/** Who a token says its bearer is. */
export type TokenIdentity = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly uid: string;
  readonly node: string;
};

/** Longer ones no entry can want. */
const MAX_VALUE = 512;
const MOST_OF_A_KIND = 128;

/**
 * The selectors of a pod that the API server knows. `annotations` are the names that may be selected by: anybody who may write a pod
 * may write hers.
 */
export function podSelectors(cluster: string, pod: Pod, annotations: readonly string[] = []): Selectors {
  const [metadata, spec] = [pod.metadata ?? {}, pod.spec ?? {}];
  const allowed = annotations.map((name) => [name, metadata.annotations?.[name]] as const);
  return selectors({
    'k8s:cluster': cluster,
    'k8s:verified': 'review',
    'k8s:ns': textOf(metadata.namespace),
    'k8s:sa': textOf(spec.serviceAccountName),
    'k8s:pod': textOf(metadata.name),
    'k8s:uid': textOf(metadata.uid),
    'k8s:node': textOf(spec.nodeName),
    'k8s:image': digestsOf(pod),
    ...named('label', Object.entries(metadata.labels ?? {})),
    ...named('annotation', allowed),
  });
}

/** What there is without an API server to ask: the token's own word, of the time at which it was issued. */
export function offlineSelectors(cluster: string, token: TokenIdentity): Selectors {
  return selectors({
    'k8s:cluster': cluster,
    'k8s:verified': 'offline',
    'k8s:ns': token.namespace,
    'k8s:sa': token.serviceAccount,
    'k8s:pod': token.pod,
    'k8s:uid': token.uid,
    'k8s:node': token.node,
  });
}

function named(
  kind: 'label' | 'annotation',
  pairs: readonly (readonly [string, unknown])[],
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of pairs.slice(0, MOST_OF_A_KIND)) {
    const key = parseSelectorKey(`k8s:${kind}:${name}`);
    const text = textOf(value);
    if (key !== undefined && text !== undefined) found[key] = text;
  }
  return found;
}

/**
 * The digests that the containers run: as the kubelet reports them, or, of a container that has not begun, as its specification pins
 * them. A container whose image is named by a tag has none until it runs.
 */
function digestsOf({ spec, status }: Pod): string[] {
  const reported = listOf(status?.containerStatuses);
  const running = new Map(reported.map(({ name, imageID }) => [name, digestOf(imageID)]));
  const digests = listOf(spec?.containers).map(({ name, image }) => running.get(name) ?? digestOf(image));
  return [...new Set(digests.filter((digest) => digest !== undefined))].slice(0, MOST_OF_A_KIND);
}

function digestOf(image: unknown): string | undefined {
  return /(?:^|@|\/\/)(sha256:[0-9a-f]{64})$/.exec(textOf(image) ?? '')?.[1];
}

/** The objects of what should be a list of them. */
export function listOf<T extends object>(value: readonly T[] | undefined): readonly T[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : [];
}

/** Undefined also for the empty text: it says nothing, and no entry can want it. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_VALUE ? value : undefined;
}
