import { isDeepStrictEqual } from 'node:util';
import {
  type Allowance,
  type Asked,
  BROKER_CA,
  INJECTED_LABEL,
  readAsked,
  STATUS,
  VAULT_CA,
} from './annotations.ts';
import type { InjectorConfig } from './config.ts';
import { type Parts, partsFor, RESERVED } from './parts.ts';
import { type Operation, patchOf } from './patch.ts';
import { foreignTokens, isOurs, obstacles, type Pod, surprises } from './pod.ts';
import { quantityOf } from './quantity.ts';
import { type Json, recordOf, textIn } from './values.ts';

/** What the injector knows beside the pod. */
export type InjectorWorld = {
  readonly config: InjectorConfig;
  readonly trustDomain: string;
  /** The trust domain's authorities, PEM. */
  readonly brokerCa: string;
  /** Whether a pod that was injected with these may keep them. */
  readonly acceptsCa: (pem: string) => boolean;
};

export type Injection =
  /** It does not ask for a sidecar. */
  | { readonly kind: 'none'; readonly warnings: readonly string[] }
  /** It has what it asks for, exactly. */
  | { readonly kind: 'whole'; readonly asked: Asked; readonly needs: readonly Allowance[] }
  | {
      readonly kind: 'patched';
      readonly patch: readonly Operation[];
      readonly asked: Asked;
      readonly needs: readonly Allowance[];
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'refused'; readonly defects: readonly string[] };

/** Namespaces whose pods are left alone, whatever they say. */
const SYSTEM = ['kube-system', 'kube-public', 'kube-node-lease'];
const MIRROR = 'kubernetes.io/config.mirror';

/**
 * What makes this pod one with a sidecar. A pod that went through this before, and is as it was, needs nothing; what somebody has changed
 * of what it was given is put right.
 */
export function inject(pod: Pod, namespace: string, world: InjectorWorld): Injection {
  const { annotations } = pod;
  const word = annotations['signet/inject'];
  if (word === undefined || word === 'false' || annotations[MIRROR] !== undefined)
    return { kind: 'none', warnings: [] };
  if (isExempt(namespace, world.config))
    return { kind: 'none', warnings: [`no pod of the namespace ${namespace} gets a sidecar`] };
  const { asked, defects, needs } = readAsked(annotations);
  const was = STATUS in annotations;
  const all = [...defects, ...obstacles(pod, asked, world.config), ...(was ? [] : alreadyThere(pod))];
  if (all.length > 0) return { kind: 'refused', defects: all };

  const parts = partsFor(asked, world.config, world.trustDomain);
  const ours = parts.volumes.map(({ name }) => String(name));
  const tokens = foreignTokens(pod, ours);
  const wanted = { needs: tokens.length > 0 ? [...needs, 'token' as const] : needs, asked };
  const patch = patchOf(pod, merged(parts, pod), wantedMetadata(parts, pod, world));
  if (patch.length === 0) return { kind: 'whole', ...wanted };
  const agent = asked.inbound === null && (asked.upstreams ?? world.config.upstreams) === 'none';
  const warnings = [
    ...surprises(pod, asked),
    ...(agent
      ? ['neither signet/inbound nor signet/upstreams: the sidecar keeps an identity and carries no call']
      : []),
  ];
  return { kind: 'patched', patch, warnings, ...wanted };
}

export function isExempt(namespace: string, config: Pick<InjectorConfig, 'namespace'>): boolean {
  return namespace === config.namespace || SYSTEM.includes(namespace);
}

/** What bears our names in a pod that we have not seen: we would not know whose it is. */
function alreadyThere({ initContainers, volumes, labels }: Pod): string[] {
  return [
    ...initContainers
      .filter(isOurs)
      .map(({ name }) => `container ${name} is there already, and not by the injector`),
    ...volumes
      .filter((volume) => textIn(volume, 'name')?.startsWith(RESERVED) === true)
      .map(({ name }) => `volume ${String(name).slice(0, 63)} is there already, and not by the injector`),
    ...(labels[INJECTED_LABEL] === undefined ? [] : [`label ${INJECTED_LABEL} is the injector's`]),
  ];
}

function wantedMetadata(parts: Parts, { annotations }: Pod, { config, brokerCa, acceptsCa }: InjectorWorld) {
  const kept = annotations[BROKER_CA];
  return {
    labels: { [INJECTED_LABEL]: 'true' },
    annotations: {
      [STATUS]: parts.status,
      [BROKER_CA]: kept !== undefined && acceptsCa(kept) ? kept : brokerCa,
      ...(config.vault.ca === undefined ? {} : { [VAULT_CA]: config.vault.ca }),
    },
  };
}

/** Our parts, each as it is in the pod where that is as good. */
function merged(parts: Parts, pod: Pod): Parts {
  const there = (list: readonly Json[], wanted: Json) => {
    const found = list.find(({ name }) => name === wanted['name']);
    return found !== undefined && asGood(found, wanted) ? found : wanted;
  };
  return {
    ...parts,
    initContainers: parts.initContainers.map((wanted) => there(pod.initContainers, wanted)),
    volumes: parts.volumes.map((wanted) => there(pod.volumes, wanted)),
  };
}

/** Equal, but for what a cluster's own rules may make stricter: limits that are added, and images that are always pulled. */
function asGood(found: Json, wanted: Json): boolean {
  const { resources, imagePullPolicy, ...rest } = found;
  const { resources: fewest, imagePullPolicy: policy, ...exact } = wanted;
  return (
    isDeepStrictEqual(rest, exact) &&
    (imagePullPolicy === policy || imagePullPolicy === 'Always') &&
    covers(recordOf(resources), recordOf(fewest))
  );
}

function covers(found: Json, wanted: Json): boolean {
  return Object.entries(wanted).every(([kind, amounts]) =>
    Object.entries(recordOf(amounts)).every(
      ([name, amount]) => quantityOf(recordOf(found[kind])[name]) === quantityOf(amount),
    ),
  );
}
