import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import type { Rule } from '../rule.ts';
import { OWN_TOKEN, registrations, VAULT_UI } from './shared.ts';

const { kv, pki, root, transit, approle, kubernetes } = MOUNTS;

/** Sees everything that is no secret and changes nothing: enough for `signet vault plan` and `signet vault doctor`. */
export function viewerRules(layout: Layout): Rule[] {
  const logins = new Set([approle, kubernetes, layout.kubernetes?.mount ?? kubernetes]);
  const seen: readonly [path: string, capability: 'read' | 'list'][] = [
    ...[pki, root].flatMap((mount): [string, 'read' | 'list'][] => [
      [`${mount}/issuers`, 'list'],
      [`${mount}/issuer/+`, 'read'],
      [`${mount}/roles`, 'list'],
      [`${mount}/roles/+`, 'read'],
      [`${mount}/keys`, 'list'],
      [`${mount}/key/+`, 'read'],
      [`${mount}/certs`, 'list'],
      [`${mount}/config/+`, 'read'],
    ]),
    [`${transit}/keys`, 'list'],
    [`${transit}/keys/+`, 'read'],
    [`${kv}/config`, 'read'],
    [`${kv}/data/layout`, 'read'],
    [`${kv}/data/instances/*`, 'read'],
    [`${kv}/metadata/instances/*`, 'list'],
    ...[...logins].flatMap((mount): [string, 'read' | 'list'][] => [
      [`auth/${mount}/role`, 'list'],
      [`auth/${mount}/role/+`, 'read'],
    ]),
    [`auth/${kubernetes}/config`, 'read'],
    [`${kv}/data/delegations/+`, 'read'],
    [`${kv}/metadata/delegations`, 'list'],
    ['auth/token/roles', 'list'],
    ['auth/token/roles/+', 'read'],
    ['sys/mounts', 'read'],
    ['sys/auth', 'read'],
    ['sys/policies/acl', 'list'],
    ['sys/policies/acl/signet-*', 'read'],
  ];
  return [
    ...registrations(kv),
    ...seen.map(
      ([path, capability]): Rule => ({ why: 'See how it is set.', path, capabilities: [capability] }),
    ),
    { why: "See how runs' log-ins are set.", path: 'auth/signet-jwt-*', capabilities: ['read', 'list'] },
    ...OWN_TOKEN,
    ...VAULT_UI,
  ];
}
