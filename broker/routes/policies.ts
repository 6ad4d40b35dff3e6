import { callerOf } from '../../lib/adapter/caller.ts';
import { readDocument } from '../../lib/adapter/documents.ts';
import { CURRENT, type StoredSet } from '../../lib/adapter/publishing/store.ts';
import type { Vault } from '../../lib/adapter/vault.ts';
import { concerns } from '../../lib/manifest/index.ts';
import { type PeerSvid, pemToDer } from '../../lib/svid/index.ts';
import type { Connection } from '../connection.ts';
import type { Publications } from '../policies/publications.ts';
import type { Sidecars } from '../policies/sidecars.ts';
import { Problem } from '../problem.ts';
import type { Registrations } from '../registrations.ts';
import { type WorkloadDeps, workloadAt } from '../workload.ts';
import type { Answer, Route } from './route.ts';

export type PolicyRouteDeps = WorkloadDeps & {
  readonly vault: Vault;
  readonly publications: Publications;
  readonly registrations: Pick<Registrations, 'current'>;
  readonly sidecars: Sidecars;
  /** Fires when nobody may be kept waiting any more. */
  readonly stopped: AbortSignal;
};

const WAIT_MS = 20_000;
const VERSION = /^(0|[1-9]\d{0,15})$/;
const FAULT = /^[a-z_]{1,64}$/;

/**
 * Hands out what authors and operators have signed. A broker can make sidecars wait for it, and that is all: each verifies what it is given
 * by an authority that no broker chose.
 */
export function policyRoutes(deps: PolicyRouteDeps): Route[] {
  return [
    {
      method: 'get',
      path: '/v1/policies',
      id: 'policies',
      summary:
        'The policies for the workload whose SVID is shown, and the deny-list, as soon as they are newer than what it has; nothing after 20 s',
      query: {
        after: 'the version of the policies that the workload has, 0 for none; left out, it takes none',
        denied: 'the version of the deny-list that it has, 0 for none',
        fault: 'why it did not take what it was given last; for `signet policy status`',
      },
      answers: { 200: 'Delivery', 204: null },
      problems: ['malformed', 'svid_needed', 'identity_denied', 'rate_limited', 'vault_unavailable'],
      handle: ({ query, connection }) => deliver(deps, query, connection),
    },
    {
      method: 'get',
      path: '/v1/policies/status',
      id: 'policyStatus',
      summary: 'What is published, and what each sidecar runs that asked this broker lately',
      withToken: true,
      answers: { 200: 'PolicyStatus' },
      problems: ['token_missing', 'vault_denied', 'rate_limited', 'vault_unavailable'],
      async handle({ token }) {
        // Vault decides who may see it
        await readDocument(callerOf(deps.vault, token), CURRENT);
        await deps.publications.refresh();
        return { status: 200, body: statusOf(deps) };
      },
    },
  ];
}

async function deliver(
  deps: PolicyRouteDeps,
  query: Readonly<Record<string, string>>,
  connection: Connection,
): Promise<Answer> {
  const { publications, sidecars, now, stopped } = deps;
  const { peer } = await workloadAt(connection, deps);
  const [after, denied] = [versionIn(query, 'after'), versionIn(query, 'denied') ?? 0];
  const { fault } = query;
  if (fault !== undefined && !FAULT.test(fault)) throw new Problem('malformed');
  sidecars.note(peer, { version: after, denylist_version: denied, fault: fault ?? null }, now());
  await refuseDenied(deps, peer);
  // what cannot be read is told in the log; what was read before is good
  await publications.refresh().catch(() => undefined);
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const { set, denylist } = publications;
    const [policies, list] = [
      set !== undefined && after !== null && set.manifest.version > after ? set : undefined,
      denylist !== undefined && denylist.version > denied ? denylist : undefined,
    ];
    if (policies !== undefined || list !== undefined) {
      // a certificate that ran out while its owner waited
      await workloadAt(connection, deps);
      return {
        status: 200,
        body: {
          ...(policies === undefined ? {} : { policies: policiesFor(policies, peer, publications) }),
          ...(list === undefined
            ? {}
            : { denylist: sealed(list.text, list.signature, list.keyVersion, publications) }),
        },
      };
    }
    const left = until - performance.now();
    if (left <= 0 || stopped.aborted) return { status: 204 };
    await publications.changed(left);
  }
}

/** @throws Problem `identity_denied`, and `vault_unavailable` while nobody knows who is denied */
async function refuseDenied({ registrations }: PolicyRouteDeps, { id, serial }: PeerSvid): Promise<void> {
  const { denylist } = await registrations.current().catch((cause: unknown) => {
    throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
  });
  if (denylist.ids.has(id.toString()) || denylist.serials.has(serial)) throw new Problem('identity_denied');
}

function policiesFor(
  { published, text, documents }: StoredSet,
  { id }: PeerSvid,
  publications: Publications,
): object {
  return {
    ...sealed(text, published.signature, published.keyVersion, publications),
    documents: documents
      .filter(({ target }) => concerns(target, id))
      .map((document) => ({ name: document.name, target: document.target, text: document.text })),
  };
}

function sealed(text: string, signature: string, keyVersion: number, publications: Publications): object {
  const chain = publications.chainOf(keyVersion);
  return {
    ...{ text, signature },
    chain: chain === undefined ? [] : pemToDer(chain).map((der) => Buffer.from(der).toString('base64')),
  };
}

function statusOf({ publications, sidecars, now }: PolicyRouteDeps): object {
  const { set, denylist } = publications;
  const targets = Map.groupBy(set?.manifest.documents ?? [], ({ target }) => target);
  return {
    published:
      set === undefined
        ? null
        : {
            version: set.manifest.version,
            author: set.manifest.author,
            published_at: set.manifest.publishedAt.toISOString(),
            targets: Array.from(targets, ([target, documents]) => ({
              target,
              documents: documents.map(({ name }) => name),
            })),
          },
    denylist:
      denylist === undefined
        ? null
        : {
            version: denylist.version,
            author: denylist.author,
            published_at: denylist.publishedAt.toISOString(),
          },
    sidecars: sidecars.list(now()),
  };
}

function versionIn(query: Readonly<Record<string, string>>, name: string): number | null {
  const text = query[name];
  if (text === undefined) return null;
  if (!VERSION.test(text)) throw new Problem('malformed');
  return Number(text);
}
