import type { KubernetesApi } from '../../lib/adapter/kubernetes/index.ts';
import type { Clusters } from '../clusters.ts';
import { refused } from './kubernetes-pod.ts';

/**
 * The cluster to ask about a token: the one that the evidence names; else the only one there is; else the one whose issuer the token
 * names, which nobody vouches for yet. That picks whom to ask and proves nothing: the cluster that is asked must know the token itself. A token is
 * never shown to one cluster after the other, since each could then show it to us as its own.
 * @throws AttestationError, KubernetesError, OfflineKeysError
 */
export async function chooseCluster(
  { live, offline, issuers }: Clusters,
  named: string | undefined,
  issuer: unknown,
): Promise<string> {
  if (named !== undefined) {
    if (live.has(named) || offline.has(named)) return named;
    throw refused('CLUSTER_UNKNOWN', `this broker knows no cluster ${named}`);
  }
  const names = [...live.keys(), ...offline.keys()];
  if (names.length === 1) return names[0]!;
  const known = await Promise.all(names.map(async (name) => ({ name, issuer: await issuers(name) })));
  const fitting = known.filter((each) => each.issuer === issuer);
  if (fitting.length === 1) return fitting[0]!.name;
  const why = fitting.length === 0 ? 'no cluster calls itself' : 'several clusters call themselves';
  throw refused(
    'CLUSTER_UNCLEAR',
    `the evidence names no cluster, and ${why} what the token names as its issuer`,
  );
}

const KEEP_MS = 10 * 60_000;

/** What a cluster calls itself. Asked for once in ten minutes: it changes with a new set-up of the API server. */
export function keepIssuer(api: KubernetesApi, now: () => number): () => Promise<string> {
  let kept: { readonly issuer: Promise<string>; readonly at: number } | undefined;
  return async () => {
    if (kept === undefined || now() - kept.at > KEEP_MS) kept = { issuer: issuerOf(api), at: now() };
    const { issuer } = kept;
    try {
      return await issuer;
    } catch (error) {
      kept = undefined;
      throw error;
    }
  };
}

async function issuerOf(api: KubernetesApi): Promise<string> {
  const { issuer } = await api.get<{ issuer?: unknown }>('/.well-known/openid-configuration');
  return String(issuer);
}
