import type { Context } from '@cedar-policy/cedar-wasm/nodejs';
import { type PolicyRequest, parseCaller } from '../../../lib/policy/index.ts';
import { parseRequest, parseUser, policyRequest } from '../../../lib/policy/suite/index.ts';
import { NOW, type RandomRequest, type RandomUser } from './random.ts';

const NOW_SECONDS = Date.parse(NOW) / 1000;

/** A random request as our engine is asked it. */
export function ours(asked: RandomRequest): PolicyRequest {
  const { caller, method, path, origin, host, protocol, size, risk, source, tenant, page } = asked;
  const given = {
    ...{ method, path, protocol, size, risk, source, chain: origin === null ? [] : [origin] },
    ...{ host: host ?? '', query: page === null ? '' : `page=${page}` },
    headers: tenant === null ? {} : { 'x-tenant': tenant },
  };
  const user = asked.user === null ? null : parseUser(written(asked.user), 'user');
  return policyRequest(parseRequest(given, 'request'), parseCaller(caller), user, new Date(NOW));
}

function written({ subject, issuer, scopes, roles, acr, authAge, tenant, level }: RandomUser): object {
  return {
    ...{ subject, issuer, scopes, roles, acr },
    auth_time: authAge === null ? null : NOW_SECONDS - authAge,
    claims: without({ tenant, level }),
  };
}

/** The same as the context that Cedar is given. */
export function theirs(asked: RandomRequest): Context {
  const { caller, path, origin, host, protocol, size, risk, source, tenant, page, user } = asked;
  const [ns, name, sa, account, ...more] = caller.split('/').slice(3);
  const standard = ns === 'ns' && sa === 'sa' && account !== undefined && more.length === 0;
  return without({
    ...{ path, protocol, risk, host, size, source, tenant, page },
    ...{ id: identity(caller), origin: origin ?? caller, origin_id: identity(origin ?? caller) },
    ...{ ns: standard ? name! : null, sa: standard ? account : null },
    segments: numbered(path.slice(1).split('/')),
    now: { __extn: { fn: 'datetime', arg: NOW } },
    user: user === null ? null : without({ ...user, authAge: null, auth_age: user.authAge }),
  }) as Context;
}

function identity(id: string): Record<string, string | number> {
  const [domain, ...segments] = id.slice('spiffe://'.length).split('/');
  return { domain: domain!, ...numbered(segments) };
}

/** Cedar has no lists. */
function numbered(segments: readonly string[]): Record<string, string | number> {
  return { n: segments.length, ...Object.fromEntries(segments.map((segment, i) => [`s${i}`, segment])) };
}

function without(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
