import type { KubernetesApi } from '../../lib/adapter/kubernetes/index.ts';
import { KubernetesError } from '../../lib/adapter/kubernetes/index.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Clusters } from '../clusters.ts';
import { createGate } from '../limits.ts';
import { OfflineKeysError } from '../offline-keys.ts';
import { Problem } from '../problem.ts';
import type { AttestContext, Attestor, Verified } from './attestor.ts';
import { chooseCluster } from './kubernetes-cluster.ts';
import { entryDefects } from './kubernetes-entry.ts';
import { verifyOffline } from './kubernetes-offline.ts';
import { comesFrom, judgePod, refused } from './kubernetes-pod.ts';
import { reviewToken } from './kubernetes-review.ts';
import { offlineSelectors, type Pod, podSelectors, type TokenIdentity } from './kubernetes-selectors.ts';
import { type ReadToken, readPodToken } from './kubernetes-token.ts';

export type KubernetesDeps = {
  readonly clusters: Clusters;
  /** Annotations that may be selected by. */
  readonly annotations: readonly string[];
  /** `pod`: the connection must come from an address of the pod. */
  readonly source: 'pod' | 'any';
  readonly log: Log;
};

/** Of all that are under way at once, so many may wait for one cluster: one that is slow does not take the others' place. */
const MOST_PER_CLUSTER = 64;

/**
 * A pod proves itself with a projected service-account token for the audience `signet`. The cluster that issued it says whether it is
 * genuine, and the pod is then looked at. What cannot be asked is not believed. Nothing is remembered of a token that was accepted.
 */
export function kubernetes(deps: KubernetesDeps): Attestor {
  const names = [...deps.clusters.live.keys(), ...deps.clusters.offline.keys()];
  const gates = new Map(names.map((name) => [name, createGate(MOST_PER_CLUSTER)]));
  const world = { clusters: names.length, annotations: deps.annotations };
  return {
    method: 'kubernetes',
    prefix: 'k8s',
    evidence: {
      type: 'object',
      properties: {
        token: {
          type: 'string',
          maxLength: 16_384,
          pattern: '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$',
          description: 'a projected service-account token whose audience is `signet`',
        },
        cluster: {
          type: 'string',
          pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
          description:
            'the name that the broker knows the cluster by; needed where it knows several that call themselves alike',
        },
      },
      required: ['token'],
      additionalProperties: false,
    },
    async verify(evidence, context) {
      const { token: text, cluster: named } = evidence as { token: string; cluster?: string };
      const read = readPodToken(text);
      try {
        const cluster = await chooseCluster(deps.clusters, named, read.claims['iss']);
        return await gates.get(cluster)!(() => verify(deps, cluster, read, context));
      } catch (cause) {
        if (!(cause instanceof KubernetesError) && !(cause instanceof OfflineKeysError)) throw cause;
        throw new Problem('cluster_unavailable', { cause, retryAfterSeconds: 2 });
      }
    },
    entryDefects: (entry) => entryDefects(entry, world),
  };
}

async function verify(
  { clusters, annotations, source, log }: KubernetesDeps,
  cluster: string,
  read: ReadToken,
  { now, address, correlationId }: AttestContext,
): Promise<Verified> {
  const api = clusters.live.get(cluster);
  if (api === undefined) {
    const keys = await clusters.offline.get(cluster)!();
    return { selectors: offlineSelectors(cluster, await verifyOffline(cluster, keys, read, now)) };
  }
  const token = await reviewToken(api, read, now);
  const pod = await podOf(api, token);
  if (judgePod(token, pod, now).terminating)
    log.info('pod_terminating', {
      cluster,
      ns: token.namespace,
      pod: token.pod,
      correlation_id: correlationId,
    });
  if (source === 'pod') {
    const own = comesFrom(pod, address);
    // The kubelet reports the address a moment after the first container has begun.
    if (own === undefined)
      throw new Problem('cluster_unavailable', {
        retryAfterSeconds: 1,
        cause: new Error('the pod has no address yet'),
      });
    if (!own)
      throw refused(
        'POD_ELSEWHERE',
        `${address} is not an address of the pod ${token.namespace}/${token.pod}`,
      );
  }
  return { selectors: podSelectors(cluster, pod, annotations) };
}

async function podOf(api: KubernetesApi, { namespace, pod }: TokenIdentity): Promise<Pod> {
  try {
    return await api.get<Pod>(`/api/v1/namespaces/${namespace}/pods/${pod}`);
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.code !== 'K8S_NOT_FOUND') throw error;
    throw refused('POD_GONE', `the pod ${namespace}/${pod} is not there any more`);
  }
}
