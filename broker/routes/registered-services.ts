import { callerOf } from '../../lib/adapter/caller.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Vault } from '../../lib/adapter/vault.ts';
import { isEntryName } from '../../lib/attestation/index.ts';
import { InputError } from '../../lib/errors.ts';
import { tenantFromName } from '../../lib/grant/index.ts';
import type { Place } from '../places.ts';
import { Problem, type ProblemCode } from '../problem.ts';
import type { ServiceRegister } from '../services/register.ts';
import { parseRegisteredService } from '../services/registered-service.ts';
import type { Route, RouteRequest } from './route.ts';

export type RegisteredServiceRouteDeps = {
  readonly trustDomain: string;
  readonly vault: Vault;
  readonly register: ServiceRegister;
  readonly log: Log;
};

const ONE = '/v1/services/{tenant}/{name}';
const ALWAYS: readonly ProblemCode[] = ['token_missing', 'vault_denied', 'rate_limited', 'vault_unavailable'];
const WRITING: readonly ProblemCode[] = [...ALWAYS, 'vault_refused', 'concurrent_write'];

/** Registered services. Every call to Vault is made with the caller's own token. */
export function registeredServiceRoutes(deps: RegisteredServiceRouteDeps): Route[] {
  const { vault, register, log } = deps;
  const caller = ({ token }: RouteRequest) => callerOf(vault, token);
  return [
    {
      method: 'get',
      path: '/v1/services/{tenant}',
      id: 'listServices',
      summary: 'Registered services of a tenant and of those below it',
      withToken: true,
      answers: { 200: 'RegisteredServiceList' },
      problems: [...ALWAYS, 'service_not_found'],
      handle: async (request) => ({
        status: 200,
        body: await register.list(caller(request), tenantOf(request)),
      }),
    },
    {
      method: 'get',
      path: ONE,
      id: 'showService',
      summary: 'One registered service',
      withToken: true,
      answers: { 200: 'RegisteredService' },
      problems: [...ALWAYS, 'service_not_found', 'service_unreadable'],
      handle: async (request) => ({
        status: 200,
        body: await register.show(caller(request), named(request)),
      }),
    },
    {
      method: 'put',
      path: ONE,
      id: 'putService',
      summary: 'Register a service, or put it in the place of the one that is there',
      body: { schema: 'ServiceRegistration', required: true },
      withToken: true,
      answers: { 200: 'RegisteredService', 201: 'RegisteredService' },
      problems: [...WRITING, 'malformed', 'service_not_found', 'service_host_taken', 'service_limit'],
      async handle(request) {
        const service = described(deps, request);
        const { created } = await register.put(caller(request), service);
        log.info('service_registered', {
          ...{ service: `${service.tenant}/${service.name}`, host: service.host, created },
          correlation_id: request.correlationId,
        });
        return { status: created ? 201 : 200, body: service };
      },
    },
    {
      method: 'delete',
      path: ONE,
      id: 'deleteService',
      summary: 'Delete a registered service',
      withToken: true,
      answers: { 204: null },
      problems: [...WRITING, 'service_not_found'],
      async handle(request) {
        await register.remove(caller(request), named(request));
        return { status: 204 };
      },
    },
  ];
}

function described({ trustDomain }: RegisteredServiceRouteDeps, request: RouteRequest) {
  const place = named(request);
  const body = request.body as Readonly<Record<string, unknown>>;
  for (const field of ['tenant', 'name'] as const) {
    if (body[field] === undefined || body[field] === place[field]) continue;
    throw new InputError('service', [{ pointer: `/${field}`, message: 'is not that of the path' }]);
  }
  return parseRegisteredService({ ...body, ...place }, { trustDomain });
}

/** The service that a path names; what cannot be one is not there. */
function named(request: RouteRequest): Place {
  const { name = '' } = request.params;
  if (!isEntryName(name)) throw new Problem('service_not_found');
  return { tenant: tenantOf(request), name };
}

function tenantOf({ params }: RouteRequest): string {
  const { tenant: text = '' } = params;
  const tenant = text.includes('/') ? undefined : tenantFromName(text);
  if (tenant === undefined) throw new Problem('service_not_found');
  return tenant;
}
