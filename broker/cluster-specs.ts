import { isIPv6 } from 'node:net';
import type { Environment } from '../lib/adapter/settings.ts';

/** One cluster of `SIGNET_KUBERNETES`. */
export type ClusterSpec = { readonly name: string } & (
  | { readonly kind: 'in-cluster'; readonly server: URL }
  | { readonly kind: 'kubeconfig'; readonly file: string; readonly context?: string }
  /** No API server is asked: tokens are held against the issuer and keys in this file. */
  | { readonly kind: 'offline'; readonly file: string }
);

export type KubernetesConfig = {
  /** None: the feature is off, and nothing of it is loaded. */
  readonly clusters: readonly ClusterSpec[];
  /** Annotations that entries may select by. */
  readonly annotations: readonly string[];
  /** Where the connection of a pod may come from. */
  readonly source: 'pod' | 'any';
};

type World = { readonly environment: Environment; readonly readFile: (path: string) => string };

/** It stands in selectors, in IDs and in evidence. */
const CLUSTER_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MOST = 64;

/** The clusters, or what is wrong with the text, by cluster. The answer never quotes what stands behind a name. */
export function readClusterSpecs(text: string, world: World): readonly ClusterSpec[] | string {
  const specs: ClusterSpec[] = [];
  const defects: string[] = [];
  for (const [i, item] of text.split(/\s+/).filter(Boolean).entries()) {
    const cut = item.indexOf('=');
    const [name, place] = [item.slice(0, Math.max(cut, 0)), item.slice(cut + 1)];
    if (!CLUSTER_NAME.test(name)) {
      defects.push(`cluster ${i + 1}: is not name=in-cluster, name=kubeconfig:/path or name=offline:/path`);
      continue;
    }
    const spec = readPlace(place, world);
    if (typeof spec === 'string') defects.push(`${name}: ${spec}`);
    else if (specs.some((other) => other.name === name)) defects.push(`${name}: is named twice`);
    else specs.push({ name, ...spec });
  }
  if (specs.length > MOST) defects.push(`names over ${MOST} clusters`);
  return defects.length > 0 ? defects.join('; ') : specs;
}

/** Names of annotations, by comma; undefined when they are not. */
export function readAnnotations(text: string): readonly string[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  return names.every((name) => /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,111}$/.test(name)) ? names : undefined;
}

type Place<T> = T extends unknown ? Omit<T, 'name'> : never;

function readPlace(place: string, { environment, readFile }: World): Place<ClusterSpec> | string {
  if (place === 'in-cluster') return inCluster(environment);
  const [, kind, file, context] = /^(kubeconfig|offline):(\/[^#]*)(?:#(.+))?$/s.exec(place) ?? [];
  if (file === undefined || (kind === 'offline' && context !== undefined))
    return 'is not in-cluster, kubeconfig:/path[#context] or offline:/path';
  try {
    if (readFile(file).trim() === '') return 'names an empty file';
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return `names a file that ${missing ? 'does not exist' : 'cannot be read'}`;
  }
  if (kind === 'offline') return { kind, file };
  return { kind: 'kubeconfig', file, ...(context === undefined ? {} : { context }) };
}

/** What the kubelet tells every container. */
function inCluster(environment: Environment): Place<ClusterSpec> | string {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '';
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (!/^[A-Za-z0-9.:-]+$/.test(host) || !/^\d{1,5}$/.test(port) || !URL.canParse(server))
    return 'is in-cluster, and KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not say where that is';
  return { kind: 'in-cluster', server: new URL(server) };
}
