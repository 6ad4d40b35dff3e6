import { type KubernetesApi, KubernetesError, openKubernetes } from '../lib/adapter/kubernetes/index.ts';
import { ConfigError } from '../lib/adapter/settings.ts';
import type { ClusterSpec } from './cluster-specs.ts';

export interface Clusters extends Disposable {
  /** Those with an API server to ask, by name. */
  readonly live: ReadonlyMap<string, KubernetesApi>;
}

/**
 * No connection is made yet, but credentials are read.
 * @throws ConfigError with every cluster whose credentials cannot be had
 */
export async function openClusters(specs: readonly ClusterSpec[]): Promise<Clusters> {
  const live = new Map<string, KubernetesApi & Disposable>();
  const defects: string[] = [];
  for (const spec of specs) {
    if (spec.kind === 'offline') continue;
    try {
      live.set(spec.name, await openKubernetes(spec.name, spec));
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      defects.push(`SIGNET_KUBERNETES ${error.message}`);
    }
  }
  const close = () => {
    for (const api of live.values()) api[Symbol.dispose]();
  };
  if (defects.length > 0) {
    close();
    throw new ConfigError(defects);
  }
  return { live, [Symbol.dispose]: close };
}
