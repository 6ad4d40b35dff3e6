export const TRUST_DOMAIN = 'example.org';
export const TENANT = 'acme/shop';
/** Long enough that a slow machine rotates in time, short enough that the demo need not wait for it. */
export const SVID_TTL = '12s';

/** The demo's Vault, as `signet vault apply` is given it. */
export const LAYOUT = {
  trust_domain: TRUST_DOMAIN,
  svid_ttls: [SVID_TTL, '15m', '1h'],
  tenants: [{ name: TENANT, id_prefixes: ['ns/shop/'] }],
  broker: { dns: ['localhost'] },
};
