import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import type { Rule } from '../rule.ts';
import { OWN_TOKEN, registrations, VAULT_UI } from './shared.ts';

const { kv, pki, root, transit } = MOUNTS;

/**
 * CA work and taking identities away, in the Vault UI. What is missing is missing on purpose: whoever may write a PKI role, use
 * `sign`, `issue`, `sign-verbatim` or `sign-intermediate`, or import a key or a certificate, can make certificates of any workload.
 */
export function operatorRules(layout: Layout): Rule[] {
  return [
    ...[pki, root].flatMap(lookingAt),
    ...[pki, root].flatMap(revoking),
    ...rotating(layout),
    ...configuring(),
    ...disabling(),
    {
      why: 'Put IDs and serials on the deny-list.',
      path: `${kv}/data/denylist`,
      capabilities: ['read', 'update'],
    },
    {
      why: 'Tell brokers that something changed.',
      path: `${kv}/data/revision`,
      capabilities: ['read', 'update'],
    },
    { why: 'Sign the deny-list.', path: `${transit}/sign/policy`, capabilities: ['update'] },
    {
      why: 'Which version of the key signs, and its certificate.',
      path: `${transit}/keys/policy`,
      capabilities: ['read'],
    },
    {
      why: 'Let a repaired device have another key.',
      path: `${kv}/metadata/instances/device-*`,
      capabilities: ['read', 'delete'],
    },
    ...registrations(kv).filter(({ path }) => path.includes('/entries/')),
    ...OWN_TOKEN,
    ...VAULT_UI,
  ];
}

function lookingAt(mount: string): Rule[] {
  const why = `Look at the CA ${mount}.`;
  return [
    ...['issuers', 'roles', 'keys', 'certs', 'certs/revoked'].map(
      (list): Rule => ({ why, path: `${mount}/${list}`, capabilities: ['list'] }),
    ),
    ...['roles/+', 'key/+', 'cert/+', 'config/acme', 'config/keys', 'tidy-status'].map(
      (path): Rule => ({ why, path: `${mount}/${path}`, capabilities: ['read'] }),
    ),
    ...(mount === root
      ? ['issuer/+', 'config/issuers', 'config/urls', 'config/cluster', 'config/crl']
      : []
    ).map((path): Rule => ({ why, path: `${mount}/${path}`, capabilities: ['read'] })),
  ];
}

function revoking(mount: string): Rule[] {
  return [
    { why: 'Revoke a certificate.', path: `${mount}/revoke`, capabilities: ['create', 'update'] },
    { why: 'Write the CRL anew (a GET in Vault).', path: `${mount}/crl/rotate`, capabilities: ['read'] },
    { why: 'Likewise, the delta.', path: `${mount}/crl/rotate-delta`, capabilities: ['read'] },
  ];
}

/** New issuers with keys made in Vault that never leave it; `exported` and `existing` are other paths, which nobody here has. */
function rotating({ trustDomain }: Layout): Rule[] {
  // The path length cannot be pinned: the UI sends a number, and Vault's ACL has no value that a number is equal to. Doctor looks at it.
  const inVault: Pick<Rule, 'capabilities' | 'required' | 'allowed'> = {
    capabilities: ['create', 'update'],
    required: ['uri_sans', 'key_type'],
    allowed: { uri_sans: [`spiffe://${trustDomain}`], key_type: ['ec'], '*': [] },
  };
  return [
    {
      why: 'Make a new issuer, self-signed: of this trust domain, EC.',
      path: `${pki}/issuers/generate/root/internal`,
      ...inVault,
    },
    {
      why: 'Likewise, as the UI does it from an issuer of that kind.',
      path: `${pki}/root/rotate/internal`,
      ...inVault,
    },
    {
      why: 'Make a new key and the request that the keeper of the root signs and imports.',
      path: `${pki}/issuers/generate/intermediate/internal`,
      ...inVault,
    },
    {
      why: 'Choose which issuer signs.',
      path: `${pki}/config/issuers`,
      capabilities: ['read', 'update'],
      allowed: { default: [], default_follows_latest_issuer: [false, 'false'] },
    },
    {
      why: 'Name an issuer, retire it (its usage). No leaf may outlive its issuer.',
      path: `${pki}/issuer/+`,
      capabilities: ['read', 'update'],
      denied: { leaf_not_after_behavior: ['permit'] },
    },
  ];
}

function configuring(): Rule[] {
  return [
    {
      why: 'CRL: how long it lives, when it is rebuilt; never off.',
      path: `${pki}/config/crl`,
      capabilities: ['read', 'update'],
      denied: { disable: [true, 'true'] },
    },
    ...['config/urls', 'config/cluster', 'config/auto-tidy'].map(
      (path): Rule => ({
        why: 'Where issuers and CRLs are found; tidying.',
        path: `${pki}/${path}`,
        capabilities: ['read', 'update'],
      }),
    ),
    { why: 'Tidy now.', path: `${pki}/tidy`, capabilities: ['update'] },
  ];
}

/** The kill switch. An entity's policies are added to its tokens, so nothing but its state may be written here. */
function disabling(): Rule[] {
  const why = 'Find an identity.';
  return [
    {
      why: 'Disable and enable an identity. (The UI sends the name too: only those that Vault itself gives.)',
      path: 'identity/entity/id/+',
      capabilities: ['read', 'update'],
      allowed: { disabled: [true, false, 'true', 'false'], name: ['entity_*'] },
    },
    ...['identity/entity/id', 'identity/entity/name', 'identity/entity-alias/id'].map(
      (path): Rule => ({ why, path, capabilities: ['list'] }),
    ),
    ...['identity/entity/name/+', 'identity/entity-alias/id/+'].map(
      (path): Rule => ({ why, path, capabilities: ['read'] }),
    ),
    { why, path: 'identity/lookup/entity', capabilities: ['update'] },
  ];
}
