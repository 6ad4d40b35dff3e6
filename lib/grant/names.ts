import { type Entry, parseTenant } from '../attestation/index.ts';
import { parseSpiffeId, type SpiffeId } from '../spiffe/index.ts';

/** Where Signet lives in Vault. One trust domain to a Vault (or namespace), so the names are fixed. */
export const MOUNTS = {
  root: 'signet-pki-root',
  pki: 'signet-pki',
  kv: 'signet',
  transit: 'signet-transit',
  approle: 'signet-approle',
  kubernetes: 'signet-kubernetes',
} as const;

/** A tenant where no slash may stand: `acme/shop` is `acme.shop`. Tenants hold no dot, so the way back is exact. */
export function tenantInName(tenant: string): string {
  return tenant.replaceAll('/', '.');
}

/** The way back from `tenantInName`. Undefined when it is not one. */
export function tenantFromName(text: string): string | undefined {
  return parseTenant(text.replaceAll('.', '/'));
}

/**
 * The token role that is this entry in Vault: `signet-acme.shop_orders`. Tenants hold neither dot nor underscore, so no two
 * entries share a role and a tenant's ACL `signet-acme.shop_*` reaches exactly its own.
 */
export function tokenRoleName(entry: Pick<Entry, 'tenant' | 'name'>): string {
  return `signet-${tenantInName(entry.tenant)}_${entry.name}`;
}

/** What a tenant's registrars write, by folder. */
export type Folder = 'entries' | 'services';

/**
 * Where a tenant's document is below the KV mount: `entries/acme.shop/orders`. One folder to a tenant, as with token roles: were its slashes
 * folders, whoever may write the names of `acme` that begin with `shop` could write those of the tenant `acme/shop` too.
 */
export function documentPath(folder: Folder, { tenant, name }: Pick<Entry, 'tenant' | 'name'>): string {
  return `${folder}/${tenantInName(tenant)}/${name}`;
}

/** The entry's document below the KV mount. */
export function entryPath(entry: Pick<Entry, 'tenant' | 'name'>): string {
  return documentPath('entries', entry);
}

/** The ACL policy that lets a token sign one SVID of this lifetime. */
export function workloadPolicy(ttl: string): string {
  return `signet-workload-${ttl}`;
}

/** The ID in the broker's own certificate: what a sidecar demands of whom it sends evidence to. */
export function brokerId(trustDomain: string): SpiffeId {
  return parseSpiffeId(`spiffe://${trustDomain}/signet/broker`);
}

/** The ID in the certificate of the transit key `policy`: what a sidecar demands of whoever signed its policies. */
export function policyId(trustDomain: string): SpiffeId {
  return parseSpiffeId(`spiffe://${trustDomain}/signet/policy`);
}
