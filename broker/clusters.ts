import { type KubernetesApi, KubernetesError, openKubernetes } from '../lib/adapter/kubernetes/index.ts';
import { ConfigError } from '../lib/adapter/settings.ts';
import { keepIssuer } from './attestors/kubernetes-cluster.ts';
import type { ClusterSpec } from './cluster-specs.ts';
import { keepOfflineKeys, type OfflineKeys, OfflineKeysError } from './offline-keys.ts';

export { kubernetes } from './attestors/kubernetes.ts';

export interface Clusters extends Disposable {
  /** Those with an API server to ask, by name. */
  readonly live: ReadonlyMap<string, KubernetesApi>;
  /** Those of which only the keys are known, by name. */
  readonly offline: ReadonlyMap<string, () => Promise<OfflineKeys>>;
  /** What a cluster calls itself. @throws KubernetesError, OfflineKeysError */
  issuers(name: string): Promise<string>;
}

/**
 * No connection is made yet, but credentials and keys are read.
 * @throws ConfigError with every cluster of which they cannot be had
 */
export async function openClusters(specs: readonly ClusterSpec[]): Promise<Clusters> {
  const live = new Map<string, KubernetesApi & Disposable>();
  const offline = new Map<string, () => Promise<OfflineKeys>>();
  const defects: string[] = [];
  for (const spec of specs) {
    try {
      if (spec.kind === 'offline') {
        const keys = keepOfflineKeys(spec.file);
        await keys();
        offline.set(spec.name, keys);
      } else {
        live.set(spec.name, await openKubernetes(spec.name, spec));
      }
    } catch (error) {
      if (error instanceof OfflineKeysError) defects.push(`SIGNET_KUBERNETES ${spec.name}: ${error.message}`);
      else if (error instanceof KubernetesError) defects.push(`SIGNET_KUBERNETES ${error.message}`);
      else throw error;
    }
  }
  const close = () => {
    for (const api of live.values()) api[Symbol.dispose]();
  };
  if (defects.length > 0) {
    close();
    throw new ConfigError(defects);
  }
  const asked = new Map(Array.from(live, ([name, api]) => [name, keepIssuer(api, () => performance.now())]));
  return {
    live,
    offline,
    issuers: async (name) => (await asked.get(name)?.()) ?? (await offline.get(name)!()).issuer,
    [Symbol.dispose]: close,
  };
}
