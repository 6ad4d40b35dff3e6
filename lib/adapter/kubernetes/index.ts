import type { AccessSource } from './access.ts';
import { createApi } from './api.ts';
import { IN_CLUSTER_FOLDER, inClusterAccess } from './in-cluster.ts';

export { KubernetesError, type KubernetesErrorCode } from './error.ts';

/** One cluster's API server. Every call is made once, within a bounded time and a bounded answer. */
export interface KubernetesApi {
  /** The name by which this cluster is known to Signet: `main`. */
  readonly cluster: string;
  /** `path` is the whole one: `/api/v1/namespaces/shop/pods/orders-0`. @throws KubernetesError */
  get<T>(path: string): Promise<T>;
  /** @throws KubernetesError */
  create<T>(path: string, body: object): Promise<T>;
  /** A JSON merge patch (RFC 7396), or with a list the operations of a JSON patch (RFC 6902). @throws KubernetesError */
  patch<T>(path: string, body: object): Promise<T>;
  /** A collection page by page, of which each may be forgotten before the next. @throws KubernetesError as `list` does */
  pages<T>(path: string, query?: Readonly<Record<string, string>>): AsyncIterable<KubernetesList<T>>;
  /** All of a collection, read in pages. @throws KubernetesError `K8S_GONE` when it changed too much under the reading: list again */
  list<T>(path: string, query?: Readonly<Record<string, string>>): Promise<KubernetesList<T>>;
  /**
   * Events from `resourceVersion` on. Ends when the server ends it, which it does every few minutes, or when `signal` fires.
   * @throws KubernetesError `K8S_GONE` when one has to list again
   */
  watch<T>(
    path: string,
    query: { readonly resourceVersion: string } & Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncIterable<KubernetesEvent<T>>;
}

export type KubernetesList<T> = { readonly items: T[]; readonly resourceVersion: string };

export type KubernetesEvent<T> = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
};

/** How to reach a cluster. */
export type KubernetesPlace =
  /** As the service account of the pod that we run in. `server` is what the environment of the pod says. */
  | { readonly kind: 'in-cluster'; readonly server: URL; readonly folder?: string }
  /** As `context` of a kubeconfig says; without it, as the current one. */
  | { readonly kind: 'kubeconfig'; readonly file: string; readonly context?: string };

/**
 * Opens no connection yet, but reads the credentials, so that a wrong path is found at once. They are read again whenever a file they
 * came from has changed.
 * @throws KubernetesError `K8S_UNAVAILABLE`
 */
export async function openKubernetes(
  cluster: string,
  place: KubernetesPlace,
  options: { readonly timeoutMs?: number } = {},
): Promise<KubernetesApi & Disposable> {
  const access = await accessOf(cluster, place);
  await access.current();
  return createApi({ cluster, access, timeoutMs: options.timeoutMs ?? 4_000 });
}

async function accessOf(cluster: string, place: KubernetesPlace): Promise<AccessSource> {
  if (place.kind === 'in-cluster')
    return inClusterAccess(cluster, place.server, place.folder ?? IN_CLUSTER_FOLDER);
  // Loaded where it is used: the client package takes 80 MB.
  const { kubeconfigAccess } = await import('./kubeconfig.ts');
  return kubeconfigAccess(cluster, place.file, place.context);
}
