import { MOUNTS, tenantInName, workloadPolicy } from '../../grant/index.ts';
import type { Layout, Tenant } from '../layout.ts';
import { NOT_IN_A_PATH, type Rule } from '../rule.ts';
import { OWN_TOKEN } from './shared.ts';

const { kv } = MOUNTS;

/**
 * Registers workloads of one tenant and of those below it: their documents, their token roles, their join codes, and services. A role can only be
 * what `lib/grant` makes of an entry: one use, orphan, five minutes, a workload policy, an alias below the tenant's prefixes.
 * `entries`: how the names of all of them must begin.
 */
export function registrarRules(layout: Pick<Layout, 'svidTtls'>, tenant: Tenant, entries = ''): Rule[] {
  const role = `auth/token/roles/signet-${tenantInName(tenant.name)}`;
  return [
    roleRule(`${role}_${entries}*`, `Token roles of ${tenant.name}.`, layout, tenant),
    ...(entries === ''
      ? [roleRule(`${role}.*`, `Token roles of the tenants below ${tenant.name}.`, layout, tenant)]
      : []),
    ...documentRules('entries', 'Entries', tenant, entries),
    ...documentRules('services', 'Registered services', tenant, entries),
    ...documentRules(
      'joins',
      'Join codes, which this registrar writes and then reads wrapped',
      tenant,
      entries,
    ),
    {
      why: 'Tell brokers that something changed.',
      path: `${kv}/data/revision`,
      capabilities: ['read', 'update'],
    },
    ...OWN_TOKEN,
  ];
}

/** One folder to a tenant, so that names of a tenant, however they begin, are not those of a tenant below it. */
function documentRules(folder: string, what: string, { name }: Tenant, entries: string): Rule[] {
  return tenantFolders(name, entries).flatMap((path): Rule[] => [
    {
      why: `${what}.`,
      path: `${kv}/data/${folder}/${path}`,
      capabilities: ['create', 'read', 'update', 'delete'],
    },
    {
      why: 'List them, and delete one with its history.',
      path: `${kv}/metadata/${folder}/${path}`,
      capabilities: ['list', 'read', 'delete'],
    },
  ]);
}

/** The documents whose names begin so; all those of the tenants below it as well where any name will do. */
export function tenantFolders(tenant: string, entries: string): readonly string[] {
  const folder = tenantInName(tenant);
  return entries === '' ? [`${folder}/*`, `${folder}.*`] : [`${folder}/${entries}*`];
}

/** No `read`: Vault holds a read against the required parameters too, so it would never pass. */
function roleRule(path: string, why: string, layout: Pick<Layout, 'svidTtls'>, tenant: Tenant): Rule {
  return {
    why: `${why} Booleans and numbers are sent as strings, or the comparison fails.`,
    path,
    capabilities: ['create', 'update', 'delete'],
    required: [
      'allowed_policies',
      'allowed_entity_aliases',
      'orphan',
      'renewable',
      'token_type',
      'token_num_uses',
      'token_explicit_max_ttl',
      'token_no_default_policy',
    ],
    allowed: {
      allowed_policies: layout.svidTtls.map(workloadPolicy),
      allowed_entity_aliases: tenant.idPrefixes.map((prefix) => `${prefix}*`),
      orphan: ['true'],
      renewable: ['false'],
      token_type: ['service'],
      token_num_uses: ['1'],
      token_explicit_max_ttl: ['5m'],
      token_no_default_policy: ['true'],
      token_bound_cidrs: [],
    },
    denied: { allowed_policies: ['*,*'], allowed_entity_aliases: NOT_IN_A_PATH },
  };
}
