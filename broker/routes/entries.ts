import { callerOf } from '../../lib/adapter/caller.ts';
import { inParallel, readDocument, type VaultCaller } from '../../lib/adapter/documents.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Vault } from '../../lib/adapter/vault.ts';
import { type Entry, entryRef, isEntryName, parseEntry } from '../../lib/attestation/index.ts';
import { InputError } from '../../lib/errors.ts';
import { entryPath, tenantFromName } from '../../lib/grant/index.ts';
import type { Appearances } from '../appearances.ts';
import { makeJoinCode } from '../join-codes.ts';
import { everyPlace, type Place, placesBelow } from '../places.ts';
import { Problem, type ProblemCode } from '../problem.ts';
import type { Registrar } from '../registrar.ts';
import type { Route, RouteRequest } from './route.ts';

export type EntryRouteDeps = {
  readonly trustDomain: string;
  readonly vault: Vault;
  /** The broker's own, which reads what tenants there are. */
  readonly session: VaultCaller;
  readonly registrar: Registrar;
  readonly appearances: Pick<Appearances, 'find'>;
  readonly log: Log;
};

const ONE = '/v1/entries/{tenant}/{name}';
const ALWAYS: readonly ProblemCode[] = ['token_missing', 'vault_denied', 'rate_limited', 'vault_unavailable'];
const WRITING: readonly ProblemCode[] = [...ALWAYS, 'vault_refused', 'concurrent_write', 'entry_state'];

/** Registration. Every call to Vault is made with the caller's own token. */
export function entryRoutes(deps: EntryRouteDeps): Route[] {
  const { trustDomain, vault, registrar } = deps;
  const caller = ({ token }: RouteRequest) => callerOf(vault, token);
  return [
    listing(deps),
    {
      method: 'post',
      path: '/v1/entries',
      id: 'createEntry',
      summary: 'Register an entry. The same call again completes what was cut off',
      body: { schema: 'NewEntry', required: true },
      withToken: true,
      answers: { 201: 'Entry', 200: 'Entry' },
      problems: [...WRITING, 'malformed', 'entry_exists', 'entry_overlaps'],
      async handle(request) {
        const entry = parseEntry(request.body, { trustDomain });
        const { entry: done, created } = await registrar.create(caller(request), entry);
        return { status: created ? 201 : 200, body: done };
      },
    },
    {
      method: 'get',
      path: ONE,
      id: 'showEntry',
      summary: 'One entry',
      withToken: true,
      answers: { 200: 'Entry' },
      problems: [...ALWAYS, 'entry_not_found', 'entry_state'],
      async handle(request) {
        const entry = await registrar.show(caller(request), named(request));
        if (entry.appear_by === undefined) return { status: 200, body: entry };
        const at = await deps.appearances.find(entry);
        return { status: 200, body: { ...entry, appeared_at: at?.toISOString() ?? null } };
      },
    },
    {
      method: 'put',
      path: ONE,
      id: 'updateEntry',
      summary: 'Change an entry that is there to this one. Its state stays',
      body: { schema: 'EntryChange', required: true },
      withToken: true,
      answers: { 200: 'Entry' },
      problems: [...WRITING, 'malformed', 'entry_not_found', 'entry_overlaps'],
      handle: async (request) => ({ status: 200, body: await update(deps, request) }),
    },
    {
      method: 'delete',
      path: ONE,
      id: 'deleteEntry',
      summary: 'Delete an entry and its token role',
      withToken: true,
      answers: { 204: null },
      problems: [...WRITING, 'entry_not_found'],
      async handle(request) {
        await registrar.remove(caller(request), named(request));
        return { status: 204 };
      },
    },
    ...(['disable', 'enable'] as const).map(
      (verb): Route => ({
        method: 'post',
        path: `${ONE}/${verb}`,
        id: `${verb}Entry`,
        summary: verb === 'disable' ? 'Refuse this entry from now on' : 'Take a disabled entry up again',
        body: { schema: 'Nothing', required: false },
        withToken: true,
        answers: { 200: 'Entry' },
        problems: [...WRITING, 'malformed', 'entry_not_found'],
        handle: async (request) => ({
          status: 200,
          body: await registrar[verb](caller(request), named(request)),
        }),
      }),
    ),
    joinCode(deps),
  ];
}

async function update({ trustDomain, vault, registrar, log }: EntryRouteDeps, request: RouteRequest) {
  const place = named(request);
  const body = request.body as Readonly<Record<string, unknown>>;
  for (const field of ['tenant', 'name'] as const) {
    if (body[field] === undefined || body[field] === place[field]) continue;
    throw new InputError('entry', [{ pointer: `/${field}`, message: 'is not that of the path' }]);
  }
  const wanted = parseEntry({ ...body, ...place }, { trustDomain });
  const { before, entry, changed } = await registrar.update(callerOf(vault, request.token), wanted);
  const identity = before.spiffe_id === entry.spiffe_id ? {} : { spiffe_id_before: before.spiffe_id };
  if (changed.length > 0)
    log.info('entry_updated', {
      ...{ entry: entryRef(entry), changed, spiffe_id: entry.spiffe_id, ...identity },
      correlation_id: request.correlationId,
    });
  return entry;
}

function listing({ trustDomain, vault, session }: EntryRouteDeps): Route {
  return {
    method: 'get',
    path: '/v1/entries',
    id: 'listEntries',
    summary: "Entries of a tenant and of those below it; of all tenants if the caller's token may list them",
    query: { tenant: 'a tenant: acme/shop' },
    withToken: true,
    answers: { 200: 'EntryList' },
    problems: [...ALWAYS, 'malformed'],
    async handle(request) {
      const tenant = request.query['tenant'];
      const caller = callerOf(vault, request.token);
      const places =
        tenant === undefined
          ? await everyPlace(caller, 'entries')
          : await placesBelow(caller, session, 'entries', tenantNamed(tenant));
      const unreadable: string[] = [];
      const read = async (place: Place): Promise<Entry | undefined> => {
        const document = await readDocument(caller, entryPath(place));
        if (document === undefined) return undefined;
        try {
          const entry = parseEntry(document.value, { trustDomain });
          if (entryRef(entry) === entryRef(place)) return entry;
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
        }
        unreadable.push(entryRef(place));
        return undefined;
      };
      const entries = (await inParallel(places, read)).filter((entry) => entry !== undefined);
      return { status: 200, body: { entries, unreadable } };
    },
  };
}

function joinCode({ vault, registrar }: EntryRouteDeps): Route {
  return {
    method: 'post',
    path: `${ONE}/join-code`,
    id: 'makeJoinCode',
    summary: 'A one-time code with which one machine takes up this entry',
    body: { schema: 'JoinCodeRequest', required: false },
    withToken: true,
    answers: { 201: 'JoinCode' },
    problems: [...WRITING, 'malformed', 'entry_not_found'],
    async handle(request) {
      const { ttl_seconds = 600 } = (request.body ?? {}) as { ttl_seconds?: number };
      const { token } = request;
      const { code, expiresAt } = await makeJoinCode(
        { vault, registrar, token },
        named(request),
        ttl_seconds,
      );
      return { status: 201, body: { code, expires_at: expiresAt.toISOString() } };
    },
  };
}

/** The entry that a path names; what cannot be one is not there. */
function named({ params }: RouteRequest): Place {
  const { tenant: text = '', name = '' } = params;
  const tenant = text.includes('/') ? undefined : tenantFromName(text);
  if (tenant === undefined || !isEntryName(name)) throw new Problem('entry_not_found');
  return { tenant, name };
}

function tenantNamed(text: string): string {
  const tenant = tenantFromName(text);
  if (tenant === undefined)
    throw new InputError('query', [{ pointer: '/tenant', message: 'is not a tenant' }]);
  return tenant;
}
