import { brokerId, MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { A_STAR, NOT_IN_A_PATH, type Rule } from '../rule.ts';
import { OWN_TOKEN, registrations } from './shared.ts';

const { kv, pki, transit } = MOUNTS;

/** The longest that a broker's own certificate lives. */
export const BROKER_CERTIFICATE_TTL = '24h';

/**
 * A stolen broker credential can ask for IDs that are registered, one wrapped single-use token at a time. It can register nothing,
 * sign no workload's certificate, widen itself nowhere, and read no join code.
 */
export function brokerRules(layout: Layout): Rule[] {
  return [
    {
      why: 'Grants: a wrapped single-use token of a registered role, for one alias. The role caps all the rest.',
      path: 'auth/token/create/signet-*',
      capabilities: ['update'],
      wrapTtl: { min: '1s', max: '120s' },
      required: ['entity_alias'],
      allowed: { entity_alias: ['**'], num_uses: ['1'], ttl: ['**'] },
      denied: { entity_alias: [A_STAR, ...NOT_IN_A_PATH] },
    },
    {
      why: 'A grant that was stolen is taken back by its accessor, which the broker knows only of grants it made.',
      path: 'auth/token/revoke-accessor',
      capabilities: ['update'],
    },
    ...OWN_TOKEN,
    ...registrations(kv),
    {
      why: 'Who runs: one document to an instance, written by check-and-set.',
      path: `${kv}/data/instances/*`,
      capabilities: ['create', 'read', 'update'],
    },
    { why: 'List instances.', path: `${kv}/metadata/instances/*`, capabilities: ['list'] },
    {
      why: 'Which runs may register, with a right of their own that Vault gives them and not the broker.',
      path: `${kv}/data/delegations/+`,
      capabilities: ['read'],
    },
    {
      why: "A run's token is good once: one document to a token, by check-and-set.",
      path: `${kv}/data/runs/*`,
      capabilities: ['create', 'update'],
    },
    {
      why: 'Clear away those of tokens that have run out.',
      path: `${kv}/metadata/runs/*`,
      capabilities: ['list', 'delete'],
    },
    {
      why: 'A join code is worth something because the broker cannot read, and so not wrap, what is in it.',
      path: `${kv}/data/joins/*`,
      capabilities: ['deny'],
    },
    { why: 'Likewise.', path: `${kv}/+/joins/*`, capabilities: ['deny'] },
    { why: 'Sign JWT-SVIDs.', path: `${transit}/sign/jwt-svid`, capabilities: ['update'] },
    { why: 'Countersign audit checkpoints.', path: `${transit}/sign/audit`, capabilities: ['update'] },
    {
      why: 'Derive the key that MACs challenges.',
      path: `${transit}/hmac/challenge`,
      capabilities: ['update'],
    },
    ...['jwt-svid', 'policy', 'audit'].map(
      (key): Rule => ({
        why: 'Publish the public key.',
        path: `${transit}/keys/${key}`,
        capabilities: ['read'],
      }),
    ),
    {
      why: "The broker's own TLS certificate, and no other.",
      path: `${pki}/sign/broker`,
      capabilities: ['update'],
      required: ['csr', 'uri_sans'],
      allowed: {
        csr: [],
        uri_sans: [brokerId(layout.trustDomain).toString()],
        ...(layout.broker.dns.length > 0 ? { alt_names: layout.broker.dns } : {}),
        ip_sans: [],
        ttl: ['**'],
        format: ['pem'],
      },
    },
    { why: 'The bundle: which issuers there are.', path: `${pki}/issuers`, capabilities: ['list'] },
    { why: 'The bundle: an issuer and its chain.', path: `${pki}/issuer/+`, capabilities: ['read'] },
  ];
}
