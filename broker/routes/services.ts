import { createHash } from 'node:crypto';
import { Problem } from '../problem.ts';
import type { Registrations } from '../registrations.ts';
import type { ClusterServices, Services } from '../services/index.ts';
import type { Registered, RegisteredServices } from '../services/registered.ts';
import { type WorkloadDeps, workloadAt } from '../workload.ts';
import type { Answer, Route, RouteRequest } from './route.ts';

export type ServiceRouteDeps = WorkloadDeps & {
  /** Left out: there is no cluster. */
  readonly services: Pick<Services, 'of'> | undefined;
  readonly registered: Pick<RegisteredServices, 'current' | 'latest' | 'changed'>;
  readonly registrations: Pick<Registrations, 'current'>;
  /** Fires when nobody may be kept waiting any more. */
  readonly stopped: AbortSignal;
};

const WAIT_MS = 20_000;
/** In the place of a cluster's name: none. */
const NO_CLUSTER = '-';
const CLUSTER = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const VERSION = /^[A-Za-z0-9_-]{0,64}$/;

/**
 * Tells sidecars where the Services of a cluster are and who has to answer there. Which cluster is theirs they say themselves: what they
 * are told is nothing that a workload may not know, and gives no right to anything.
 */
export function serviceRoutes(deps: ServiceRouteDeps): Route[] {
  return [
    {
      method: 'get',
      path: '/v1/services',
      id: 'services',
      summary:
        'The Services of a cluster, for each address of theirs the SPIFFE ID that has to answer there, and registered services, as soon as that is another list than the caller has; nothing after 20 s',
      query: {
        cluster:
          'the name of the cluster; `-`: none; may be left out where this broker knows one alone, or none',
        since: 'the version of the list that the caller has; left out, it has none',
      },
      answers: { 200: 'Services', 204: null },
      problems: [
        ...(['malformed', 'svid_needed', 'identity_denied', 'cluster_unknown', 'rate_limited'] as const),
        ...(['vault_unavailable', 'services_unavailable'] as const),
      ],
      handle: (request) => deliver(deps, request),
    },
  ];
}

async function deliver(
  deps: ServiceRouteDeps,
  { query, connection }: Pick<RouteRequest, 'query' | 'connection'>,
): Promise<Answer> {
  const { services, registered, registrations, stopped } = deps;
  const { cluster, since = '' } = query;
  if (!VERSION.test(since) || (cluster !== undefined && cluster !== NO_CLUSTER && !CLUSTER.test(cluster)))
    throw new Problem('malformed');
  const { peer } = await workloadAt(connection, deps);
  const { denylist } = await registrations.current().catch((cause: unknown) => {
    throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
  });
  if (denylist.ids.has(peer.id.toString()) || denylist.serials.has(peer.serial))
    throw new Problem('identity_denied');
  const none = cluster === NO_CLUSTER || (cluster === undefined && services === undefined);
  const known = none ? undefined : services?.of(cluster);
  if (!none && known === undefined) throw new Problem('cluster_unknown');
  await registered.current().catch((cause: unknown) => {
    if (registered.latest === undefined)
      throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
  });
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const body = bodyOf(known, registered.latest);
    if (body !== undefined && body.version !== since) {
      // a certificate that ran out while its owner waited
      await workloadAt(connection, deps);
      return { status: 200, body };
    }
    const left = until - performance.now();
    if (left <= 0 || stopped.aborted) {
      if (body === undefined) throw new Problem('services_unavailable', { retryAfterSeconds: 1 });
      return { status: 204 };
    }
    await Promise.race([registered.changed(left), ...(known === undefined ? [] : [known.changed(left)])]);
  }
}

/** Undefined until all of it was read. Without a cluster it is what is registered alone. */
function bodyOf(known: ClusterServices | undefined, registered: Registered | undefined) {
  if (registered === undefined) return undefined;
  const { told, version, seenAt } = registered;
  const hosts = told.map(({ host, addresses, spiffe_ids }) => ({ host, addresses, spiffe_ids }));
  if (known === undefined)
    return { cluster: '', version, seen_at: seenAt.toISOString(), services: [], registered: hosts };
  const { directory, seenAt: clusterSeenAt } = known;
  if (directory === undefined || clusterSeenAt === undefined) return undefined;
  const { cluster, services } = directory;
  return {
    cluster,
    version: createHash('sha256').update(`${directory.version} ${version}`).digest('base64url'),
    seen_at: new Date(Math.min(seenAt.getTime(), clusterSeenAt.getTime())).toISOString(),
    services,
    registered: hosts,
  };
}
