import { Problem } from '../problem.ts';
import type { Registrations } from '../registrations.ts';
import type { Services } from '../services/index.ts';
import { type WorkloadDeps, workloadAt } from '../workload.ts';
import type { Answer, Route, RouteRequest } from './route.ts';

export type ServiceRouteDeps = WorkloadDeps & {
  /** Left out: there is no cluster. */
  readonly services: Pick<Services, 'of'> | undefined;
  readonly registrations: Pick<Registrations, 'current'>;
  /** Fires when nobody may be kept waiting any more. */
  readonly stopped: AbortSignal;
};

const WAIT_MS = 20_000;
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
        'The Services of a cluster, and for each address of theirs the SPIFFE ID that has to answer there, as soon as that is another list than the caller has; nothing after 20 s',
      query: {
        cluster: 'the name of the cluster; may be left out where this broker knows one alone',
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
  const { services, registrations, stopped } = deps;
  const { cluster, since = '' } = query;
  if (!VERSION.test(since) || (cluster !== undefined && !CLUSTER.test(cluster)))
    throw new Problem('malformed');
  const { peer } = await workloadAt(connection, deps);
  const { denylist } = await registrations.current().catch((cause: unknown) => {
    throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
  });
  if (denylist.ids.has(peer.id.toString()) || denylist.serials.has(peer.serial))
    throw new Problem('identity_denied');
  const known = services?.of(cluster);
  if (known === undefined) throw new Problem('cluster_unknown');
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const { directory, seenAt } = known;
    if (directory !== undefined && seenAt !== undefined && directory.version !== since) {
      // a certificate that ran out while its owner waited
      await workloadAt(connection, deps);
      const { version, services: listed } = directory;
      return {
        status: 200,
        body: { cluster: directory.cluster, version, seen_at: seenAt.toISOString(), services: listed },
      };
    }
    const left = until - performance.now();
    if (left <= 0 || stopped.aborted) {
      if (directory === undefined) throw new Problem('services_unavailable', { retryAfterSeconds: 1 });
      return { status: 204 };
    }
    await known.changed(left);
  }
}
