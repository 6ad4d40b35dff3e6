import { type Parts, RESERVED } from './parts.ts';
import { isOurs, type Pod } from './pod.ts';
import { escaped, type Json, recordOf, recordsOf, textIn } from './values.ts';

/** One operation of a JSON patch, RFC 6902. */
export type Operation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

type Metadata = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

/** From the pod as it is to one that has these parts. What is not ours is not written again: a reader could have understood it otherwise. */
export function patchOf(pod: Pod, parts: Parts, metadata: Metadata): Operation[] {
  return [
    ...mapPatch('/metadata/labels', pod.metadata['labels'], pod.labels, metadata.labels),
    ...mapPatch('/metadata/annotations', pod.metadata['annotations'], pod.annotations, metadata.annotations),
    ...volumePatch(pod, parts.volumes),
    ...frontPatch(pod, parts.initContainers),
    ...environmentPatch(pod, parts.proxyEnv),
  ];
}

function mapPatch(
  path: string,
  raw: unknown,
  has: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): Operation[] {
  if (recordOf(raw) !== raw) return [{ op: 'add', path, value: wanted }];
  return Object.entries(wanted)
    .filter(([key, value]) => has[key] !== value)
    .map(([key, value]) => ({ op: 'add', path: `${path}/${escaped(key)}`, value }));
}

function volumePatch({ spec, volumes }: Pod, wanted: readonly Json[]): Operation[] {
  const path = '/spec/volumes';
  if (!Array.isArray(spec['volumes'])) return [{ op: 'add', path, value: wanted }];
  const ours = volumes.filter(isReserved);
  // the very objects: what is as good as what is wanted stands in for it
  if (ours.length === wanted.length && wanted.every((volume) => ours.includes(volume))) return [];
  return [
    ...removals(path, volumes, isReserved),
    ...wanted.map((value): Operation => ({ op: 'add', path: `${path}/-`, value })),
  ];
}

function isReserved(volume: Json): boolean {
  return textIn(volume, 'name')?.startsWith(RESERVED) === true;
}

function frontPatch({ spec, initContainers }: Pod, wanted: readonly Json[]): Operation[] {
  const path = '/spec/initContainers';
  if (!Array.isArray(spec['initContainers'])) return [{ op: 'add', path, value: wanted }];
  const ours = initContainers.filter(isOurs);
  if (ours.length === wanted.length && wanted.every((container, i) => initContainers[i] === container))
    return [];
  return [
    ...removals(path, initContainers, isOurs),
    ...wanted.map((value, i): Operation => ({ op: 'add', path: `${path}/${i}`, value })),
  ];
}

/** From the last on, so that positions hold. */
function removals(path: string, list: readonly Json[], which: (part: Json) => boolean): Operation[] {
  const found = list.flatMap((part, i) => (which(part) ? [i] : []));
  return found.reverse().map((i) => ({ op: 'remove', path: `${path}/${i}` }));
}

/** A container of the app that sets one of the variables has its own mind about all of them. */
function environmentPatch({ containers }: Pod, wanted: readonly Json[]): Operation[] {
  if (wanted.length === 0) return [];
  const names = wanted.map(({ name }) => name);
  return containers.flatMap((container, i): Operation[] => {
    const { env } = container;
    if (textIn(container, 'name') === undefined || recordsOf(env).some(({ name }) => names.includes(name)))
      return [];
    const path = `/spec/containers/${i}/env`;
    if (!Array.isArray(env)) return [{ op: 'add', path, value: wanted }];
    return wanted.map((value) => ({ op: 'add', path: `${path}/-`, value }));
  });
}
