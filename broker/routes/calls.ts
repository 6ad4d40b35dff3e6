import { callerOf } from '../../lib/adapter/caller.ts';
import { readDocument } from '../../lib/adapter/documents.ts';
import { CURRENT } from '../../lib/adapter/publishing/store.ts';
import type { Vault } from '../../lib/adapter/vault.ts';
import { type CallMinute, serviceMap } from '../../lib/calls/index.ts';
import { InputError } from '../../lib/errors.ts';
import { type CallStore, KEPT_MINUTES, minuteOf } from '../calls/store.ts';
import type { Connection } from '../connection.ts';
import type { RateLimit } from '../limits.ts';
import { Problem } from '../problem.ts';
import type { Registrations } from '../registrations.ts';
import { type WorkloadDeps, workloadAt } from '../workload.ts';
import type { Route } from './route.ts';

export type CallRouteDeps = WorkloadDeps & {
  readonly vault: Vault;
  readonly registrations: Pick<Registrations, 'current'>;
  readonly store: CallStore;
  /** By SPIFFE ID. */
  readonly perIdentity: RateLimit;
};

const MOST_BYTES = 1024 * 1024;
const MOST_EDGES = 1_000;
/** How far a sidecar's clock may be ahead. */
const AHEAD_MINUTES = 5;
const MINUTES = /^([1-9]|[1-5]\d|60)$/;

export function callRoutes(deps: CallRouteDeps): Route[] {
  const admitted = new WeakMap<Connection, Promise<string>>();
  return [
    {
      method: 'post',
      path: '/v1/calls',
      id: 'tellCalls',
      summary:
        'Who called the workload whose SVID is shown, in one minute. The same reporter and number again is the same message',
      body: { schema: 'CallReport', required: true },
      large: {
        bytes: MOST_BYTES,
        async admit(connection) {
          const service = serviceOf(deps, connection);
          admitted.set(connection, service);
          await service;
        },
      },
      answers: { 204: null },
      problems: [
        'malformed',
        'svid_needed',
        'identity_denied',
        'too_large',
        'rate_limited',
        'vault_unavailable',
      ],
      async handle({ body, connection }) {
        const service = await (admitted.get(connection) ?? serviceOf(deps, connection));
        const report = body as CallMinute & { readonly reporter: string; readonly seq: number };
        const now = deps.now();
        const age = minuteOf(now) - report.minute;
        if (age >= KEPT_MINUTES || age < -AHEAD_MINUTES)
          throw new InputError('body', [{ pointer: '/minute', message: 'is not of the last hour' }]);
        deps.store.add({ ...report, service }, JSON.stringify(body).length, now);
        return { status: 204 };
      },
    },
    {
      method: 'get',
      path: '/v1/calls',
      id: 'calls',
      summary: 'Who called whom lately, as sidecars told this broker: the busiest first',
      query: { minutes: 'how far back, 1 to 60; left out, 60' },
      withToken: true,
      answers: { 200: 'ServiceMap' },
      problems: ['malformed', 'token_missing', 'vault_denied', 'rate_limited', 'vault_unavailable'],
      async handle({ query, token }) {
        const { minutes = String(KEPT_MINUTES) } = query;
        if (!MINUTES.test(minutes)) throw new Problem('malformed');
        // Vault decides who may see it: those who may see what is published
        await readDocument(callerOf(deps.vault, token), CURRENT);
        const edges = serviceMap(deps.store.since(Number(minutes), deps.now()));
        const { dropped } = deps.store;
        return {
          status: 200,
          body: {
            minutes: Number(minutes),
            edges: edges.slice(0, MOST_EDGES),
            edges_more: Math.max(0, edges.length - MOST_EDGES),
            reports_dropped: dropped,
          },
        };
      },
    },
  ];
}

/** Whose calls are told, which is never what a body says. @throws Problem */
async function serviceOf(deps: CallRouteDeps, connection: Connection): Promise<string> {
  const { peer } = await workloadAt(connection, deps);
  const service = peer.id.toString();
  deps.perIdentity.take(service);
  const { denylist } = await deps.registrations.current().catch((cause: unknown) => {
    throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
  });
  if (denylist.ids.has(service) || denylist.serials.has(peer.serial)) throw new Problem('identity_denied');
  return service;
}
