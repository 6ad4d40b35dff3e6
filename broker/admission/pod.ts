import { AUDIENCE } from '../attestors/kubernetes-token.ts';
import type { Asked } from './annotations.ts';
import type { InjectorConfig } from './config.ts';
import { PORTS, REDIRECT, RESERVED, SIDECAR } from './parts.ts';
import { type Json, recordOf, recordsOf, textIn, textsOf } from './values.ts';

/** A pod of an admission review, as far as the injector looks at it. It is a stranger's bytes: nothing of it need be there. */
export type Pod = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly metadata: Json;
  readonly spec: Json;
  readonly initContainers: readonly Json[];
  readonly containers: readonly Json[];
  readonly ephemeralContainers: readonly Json[];
  readonly volumes: readonly Json[];
};

export function readPod(value: unknown): Pod {
  const { metadata, spec } = recordOf(value);
  const [meta, body] = [recordOf(metadata), recordOf(spec)];
  return {
    labels: textsOf(meta['labels']),
    annotations: textsOf(meta['annotations']),
    metadata: meta,
    spec: body,
    initContainers: recordsOf(body['initContainers']),
    containers: recordsOf(body['containers']),
    ephemeralContainers: recordsOf(body['ephemeralContainers']),
    volumes: recordsOf(body['volumes']),
  };
}

/** Whether a container of `initContainers` bears one of our names. */
export function isOurs(container: Json): boolean {
  return container['name'] === SIDECAR || container['name'] === REDIRECT;
}

/** All containers but ours. */
function othersOf({ initContainers, containers, ephemeralContainers }: Pod): readonly Json[] {
  return [...initContainers.filter((each) => !isOurs(each)), ...containers, ...ephemeralContainers];
}

/** What keeps a pod from having a sidecar at all. */
export function obstacles(
  pod: Pod,
  asked: Asked,
  { user, upstreams }: Pick<InjectorConfig, 'user' | 'upstreams'>,
): string[] {
  const found: string[] = [];
  const { spec } = pod;
  if (spec['hostNetwork'] === true)
    found.push(
      "spec.hostNetwork: a pod on the network of its node cannot have a sidecar: its listeners would be everybody's",
    );
  if (textIn(recordOf(spec['os']), 'name') === 'windows')
    found.push('spec.os: the sidecar runs on Linux alone');
  if (pod.containers.length === 0) found.push('spec.containers: there are none');
  const others = othersOf(pod);
  found.push(...reservedNames(pod));
  const taken = Object.values(PORTS);
  for (const container of others) {
    const ports = recordsOf(container['ports']).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
    for (const { containerPort } of ports)
      if (taken.includes(containerPort as number))
        found.push(
          `container ${nameOf(container)}: its port ${containerPort} is one that the sidecar listens on`,
        );
  }
  if (asked.inbound !== null && taken.includes(asked.inbound))
    found.push(`signet/inbound is a port that the sidecar itself listens on (${taken.join(', ')})`);
  if (asked.redirect) {
    const [whole, ...each] = [spec, ...others].map((part) => recordOf(part['securityContext'])['runAsUser']);
    if (whole === user || each.includes(user))
      found.push(
        `a container runs as user ${user}, whose connections are not redirected: it is the sidecar's`,
      );
    if ((asked.upstreams ?? upstreams) === 'none')
      found.push('signet/redirect without signet/upstreams: the sidecar would have nowhere to send a call');
  }
  return found;
}

/** Names and mounts that only the injector gives. */
export function reservedNames(pod: Pod): string[] {
  const found: string[] = [];
  for (const container of othersOf(pod)) {
    const name = textIn(container, 'name');
    if (name?.startsWith(RESERVED) === true)
      found.push(`container ${nameOf(container)}: names that begin with ${RESERVED} are the injector's`);
    for (const mount of recordsOf(container['volumeMounts']))
      if (textIn(mount, 'name')?.startsWith(RESERVED) === true)
        found.push(`container ${nameOf(container)}: it mounts a volume of the injector`);
  }
  return found;
}

/** Volumes that hold a token for our audience; ours, where the pod has it, is not among them. */
export function foreignTokens({ volumes }: Pod, ours: readonly string[]): string[] {
  return volumes
    .filter((volume) => !ours.includes(textIn(volume, 'name') ?? ''))
    .filter(({ projected }) =>
      recordsOf(recordOf(projected)['sources']).some(
        ({ serviceAccountToken }) => recordOf(serviceAccountToken)['audience'] === AUDIENCE,
      ),
    )
    .map((volume) => nameOf(volume));
}

/** What may surprise, and is no reason to refuse. */
export function surprises(pod: Pod, asked: Asked): string[] {
  const found: string[] = [];
  const declared = pod.containers.flatMap(({ ports }) =>
    recordsOf(ports).map(({ containerPort }) => containerPort),
  );
  if (asked.inbound !== null && declared.length > 0 && !declared.includes(asked.inbound))
    found.push(`signet/inbound says ${asked.inbound}, and no container declares that port`);
  if (pod.spec['shareProcessNamespace'] === true)
    found.push('spec.shareProcessNamespace: containers of this pod see the processes of the sidecar');
  if (asked.redirect && othersOf(pod).some(mayUndo))
    found.push('a container has NET_ADMIN or is privileged: it can take the redirect away');
  if (asked.redirect && othersOf(pod).some(mayBecome))
    found.push(
      "a container does not drop the capability SETUID: as root it can become the sidecar's user, whose connections are not redirected",
    );
  return found;
}

function mayUndo(container: Json): boolean {
  const added = capabilities(container, 'add');
  return (
    recordOf(container['securityContext'])['privileged'] === true ||
    added.includes('NET_ADMIN') ||
    added.includes('ALL')
  );
}

/** What runtimes give to root has SETUID in it. */
function mayBecome(container: Json): boolean {
  const dropped = capabilities(container, 'drop');
  const kept = !dropped.includes('ALL') && !dropped.includes('SETUID');
  return kept || capabilities(container, 'add').includes('SETUID');
}

/** Runtimes do not mind the case. */
function capabilities(container: Json, what: 'add' | 'drop'): string[] {
  const named = recordOf(recordOf(container['securityContext'])['capabilities'])[what];
  return Array.isArray(named) ? named.map((name) => String(name).toUpperCase()) : [];
}

function nameOf(part: Json): string {
  return (textIn(part, 'name') ?? 'without a name').slice(0, 63);
}
