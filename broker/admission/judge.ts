import { isDeepStrictEqual } from 'node:util';
import type { Entry, Selectors } from '../../lib/attestation/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import { type Allowance, INJECTED_LABEL, PREFIX, readAsked, WRITTEN } from './annotations.ts';
import { gives } from './identity.ts';
import { type InjectorWorld, inject, isExempt } from './inject.ts';
import { RESERVED } from './parts.ts';
import { foreignTokens, isOurs, type Pod, reservedNames } from './pod.ts';
import { textIn } from './values.ts';

/** What is still to be asked before a pod is let in. */
export type Verdict =
  | { readonly kind: 'fine' }
  | { readonly kind: 'refused'; readonly defects: readonly string[] }
  | { readonly kind: 'depends'; readonly needs: readonly Allowance[]; readonly identity: SpiffeId | null };

/** A new pod, when all that changes it has done so. */
export function judgeNew(pod: Pod, namespace: string, world: InjectorWorld): Verdict {
  if (isExempt(namespace, world.config)) return { kind: 'fine' };
  const injection = inject(pod, namespace, world);
  switch (injection.kind) {
    case 'refused':
      return injection;
    case 'patched': {
      const where = [...new Set(injection.patch.map(({ path }) => path))].slice(0, 8).join(', ');
      return {
        kind: 'refused',
        defects: [`it asks for a sidecar and is not as the injector makes it: ${where}`],
      };
    }
    case 'whole':
      return depends(injection.needs, injection.asked.identity);
    case 'none':
      return judgeWithout(pod);
  }
}

/** A pod that asks for no sidecar must not look as if it had one. */
function judgeWithout(pod: Pod): Verdict {
  const forged = [
    ...reservedNames(pod),
    ...pod.initContainers.filter(isOurs).map(({ name }) => `container ${name} is the injector's`),
    ...pod.volumes
      .filter((volume) => textIn(volume, 'name')?.startsWith(RESERVED) === true)
      .map(
        (volume) =>
          `volume ${textIn(volume, 'name')?.slice(0, 63)}: names that begin with ${RESERVED} are the injector's`,
      ),
    ...WRITTEN.filter((name) => name in pod.annotations).map(
      (name) => `annotation ${name} is the injector's`,
    ),
    ...(INJECTED_LABEL in pod.labels ? [`label ${INJECTED_LABEL} is the injector's`] : []),
  ];
  if (forged.length > 0) return { kind: 'refused', defects: forged };
  const { asked, defects } = readAsked(pod.annotations);
  if (defects.length > 0) return { kind: 'refused', defects };
  return depends(foreignTokens(pod, []).length > 0 ? ['token'] : [], asked.identity);
}

function depends(needs: readonly Allowance[], identity: SpiffeId | null): Verdict {
  return needs.length === 0 && identity === null ? { kind: 'fine' } : { kind: 'depends', needs, identity };
}

/** A pod that is there already, or that a debugger's container is added to. */
export function judgeChange(pod: Pod, was: Pod, namespace: string, world: InjectorWorld): Verdict {
  if (isExempt(namespace, world.config)) return { kind: 'fine' };
  const changed = [
    ...changedNames(was.annotations, pod.annotations).map((name) => `annotation ${name}`),
    ...changedNames(was.labels, pod.labels).map((name) => `label ${name}`),
  ].map((what) => `${what} is read when a pod is created: delete the pod and create it anew`);
  const ours = (each: Pod) => each.initContainers.filter(isOurs);
  if (!isDeepStrictEqual(ours(was), ours(pod))) changed.push("the injector's containers cannot be changed");
  const added = { ...pod, initContainers: [], containers: [] };
  const defects = [...changed, ...reservedNames(added)];
  return defects.length > 0 ? { kind: 'refused', defects } : { kind: 'fine' };
}

function changedNames(was: Readonly<Record<string, string>>, is: Readonly<Record<string, string>>): string[] {
  const names = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...names]
    .filter((name) => name.startsWith(PREFIX) && was[name] !== is[name])
    .map((name) => name.slice(0, 80));
}

/** What the namespace does not allow, and an ID that no entry gives. */
export function unmet(
  { needs, identity }: Extract<Verdict, { kind: 'depends' }>,
  known: {
    readonly namespace: string;
    readonly allowed: readonly string[];
    /** Of the pod, as far as they are known before it runs. */
    readonly selectors: Selectors;
    readonly entries: Iterable<Entry>;
  },
): string[] {
  const denied = needs
    .filter((word) => !known.allowed.includes(word))
    .map(
      (word) =>
        `${WHAT[word]} is not allowed in the namespace ${known.namespace}: its annotation signet/allow lacks ${word}`,
    );
  return identity === null || gives(known.entries, known.selectors, identity)
    ? denied
    : [
        ...denied,
        `signet/identity: no registration entry gives this ID to such a pod of the namespace ${known.namespace}`,
      ];
}

const WHAT: Readonly<Record<Allowance, string>> = {
  redirect: 'signet/redirect',
  'exclude-ports': 'signet/exclude-ports',
  token: "a volume with a token for Signet that is not the injector's",
};
