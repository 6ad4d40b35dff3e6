import assert from 'node:assert/strict';
import { expectOk, type Lab, leafIn, ORDERS_ALIAS, ORDERS_ROLE, openLab } from './lab.ts';
import { itNames, post, remove, type Trap } from './traps.ts';

const TRAPS: readonly Trap[] = [
  {
    what: "a broker's policy that opens more",
    spoil: post('sys/policies/acl/signet-broker', { policy: 'path "*" { capabilities = ["sudo"] }' }),
    names: ['policy.signet-broker'],
  },
  {
    what: 'a workload policy with a word changed',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'sys/policies/acl/signet-workload-15m');
      await post('sys/policies/acl/signet-workload-15m', {
        policy: body.data.policy.replace('"15m"', '"8760h"'),
      })(lab);
    },
    names: ['policy.signet-workload-15m'],
  },
  {
    what: 'a missing policy',
    spoil: remove('sys/policies/acl/signet-viewer'),
    names: ['policy.signet-viewer'],
  },
  {
    what: 'the policy of a tenant that is gone',
    spoil: post('sys/policies/acl/signet-registrar-old', { policy: '# nothing' }),
    names: ['policy.signet-registrar-old'],
  },

  {
    what: 'the audit log in the clear',
    spoil: post('sys/mounts/signet/tune', { audit_non_hmac_response_keys: ['data'] }),
    names: ['engine-signet.audit_non_hmac_response_keys'],
  },
  {
    what: 'requests in the audit log in the clear',
    spoil: post('sys/mounts/signet-pki/tune', { audit_non_hmac_request_keys: ['csr'] }),
    names: ['engine-signet-pki.audit_non_hmac_request_keys'],
  },
  {
    what: 'tokens in the audit log in the clear',
    spoil: post('sys/auth/token/tune', { audit_non_hmac_response_keys: ['client_token'] }),
    names: ['auth-token.audit_non_hmac_response_keys'],
  },
  {
    what: 'headers that cross',
    spoil: post('sys/mounts/signet-pki/tune', { passthrough_request_headers: ['X-Evil'] }),
    names: ['engine-signet-pki.passthrough_request_headers'],
  },
  {
    what: 'headers that come back',
    spoil: post('sys/mounts/signet-pki/tune', { allowed_response_headers: ['X-Evil'] }),
    names: ['engine-signet-pki.allowed_response_headers'],
  },
  {
    what: 'a limit on the life of certificates',
    spoil: post('sys/mounts/signet-pki/tune', { max_lease_ttl: '1h' }),
    names: ['engine-signet-pki.max_lease_ttl'],
  },
  {
    what: 'batch tokens for brokers',
    spoil: post('sys/auth/signet-approle/tune', { token_type: 'default-batch' }),
    names: ['auth-signet-approle.token_type'],
  },

  {
    what: 'certificates for anyone, by ACME',
    spoil: async (lab) => {
      await post('signet-pki/config/cluster', { path: 'https://vault.example.org/v1/signet-pki' })(lab);
      await expectOk(
        lab.vault.request('POST', 'sys/mounts/signet-pki/tune', {
          allowed_response_headers: ['Last-Modified', 'Location', 'Replay-Nonce', 'Link'],
        }),
      );
      await post('signet-pki/config/acme', { enabled: true })(lab);
    },
    names: ['engine-signet-pki.allowed_response_headers', 'pki-acme.enabled'],
  },
  {
    what: 'a CRL that is off',
    spoil: post('signet-pki/config/crl', { disable: true }),
    names: ['pki-crl.disable'],
  },
  {
    what: 'a CRL that runs out',
    spoil: post('signet-pki-root/config/crl', { auto_rebuild: false }),
    names: ['pki-root-crl.auto_rebuild'],
  },
  {
    what: 'a CRL that lives long',
    spoil: post('signet-pki/config/crl', { expiry: '720h' }),
    names: ['pki-crl.expiry'],
  },
  {
    what: "a stranger's addresses in certificates",
    spoil: post('signet-pki/config/urls', {
      crl_distribution_points: ['https://evil.example/crl'],
      ocsp_servers: ['https://evil.example/ocsp'],
    }),
    names: ['pki-urls.crl_distribution_points', 'pki-urls.ocsp_servers'],
  },
  {
    what: 'no tidying',
    spoil: post('signet-pki/config/auto-tidy', {
      enabled: false,
      tidy_cert_store: true,
      tidy_revoked_certs: true,
    }),
    names: ['pki-auto-tidy.enabled'],
  },
  {
    what: "the broker's PKI role with any URI",
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet-pki/roles/broker');
      await post('signet-pki/roles/broker', { ...body.data, allowed_uri_sans: 'spiffe://example.org/*' })(
        lab,
      );
    },
    names: ['pki-role-broker.allowed_uri_sans'],
  },
  {
    what: "the broker's PKI role with any host",
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet-pki/roles/broker');
      await post('signet-pki/roles/broker', {
        ...body.data,
        allow_any_name: true,
        allowed_domains: 'bank.example',
        max_ttl: '8760h',
      })(lab);
    },
    names: ['pki-role-broker.allow_any_name', 'pki-role-broker.allowed_domains', 'pki-role-broker.max_ttl'],
  },
  { what: 'a missing PKI role', spoil: remove('signet-pki/roles/workload'), names: ['pki-role-workload'] },
  {
    what: 'the token engine of another Vault in the template (a restored one)',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet-pki/roles/workload');
      await post('signet-pki/roles/workload', {
        ...body.data,
        allowed_uri_sans: 'spiffe://example.org/{{identity.entity.aliases.auth_token_00000000.name}}',
      })(lab);
      assert.notEqual((await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS))).status, 200);
    },
    names: ['pki-role-workload.allowed_uri_sans'],
  },
  {
    what: 'another PKI role',
    spoil: post('signet-pki/roles/mine', { allow_any_name: true }),
    names: ['pki-role.unknown'],
    mend: remove('signet-pki/roles/mine'),
  },
  {
    what: 'a PKI role at the root',
    spoil: post('signet-pki-root/roles/mine', {}),
    names: ['pki-role.unknown'],
    mend: remove('signet-pki-root/roles/mine'),
  },

  {
    what: 'a key that may be deleted',
    spoil: post('signet-transit/keys/policy/config', { deletion_allowed: true }),
    names: ['transit-policy.deletion_allowed'],
  },
  {
    what: 'a key that may be exported',
    spoil: post('signet-transit/keys/audit/config', { exportable: true }),
    names: ['transit-audit.exportable'],
    mend: replaceKey('audit', 'ecdsa-p256'),
  },
  {
    what: 'a key that may be backed up in the clear',
    spoil: post('signet-transit/keys/jwt-svid/config', { allow_plaintext_backup: true }),
    names: ['transit-jwt-svid.allow_plaintext_backup'],
    mend: replaceKey('jwt-svid', 'ecdsa-p256'),
  },
  {
    what: 'a key of another kind',
    spoil: replaceKey('challenge', 'aes256-gcm96'),
    names: ['transit-challenge.type'],
    mend: replaceKey('challenge', 'hmac'),
  },
  {
    what: 'a missing key',
    spoil: async (lab) => {
      await post('signet-transit/keys/audit/config', { deletion_allowed: true })(lab);
      await remove('signet-transit/keys/audit')(lab);
    },
    names: ['transit-audit'],
  },

  {
    what: 'a broker log-in without a secret_id',
    spoil: post('auth/signet-approle/role/broker', {
      bind_secret_id: false,
      secret_id_bound_cidrs: [],
      token_bound_cidrs: ['127.0.0.0/8'],
    }),
    names: ['approle-broker.bind_secret_id', 'approle-broker.token_bound_cidrs'],
  },
  {
    what: 'a broker log-in with more policies',
    spoil: post('auth/signet-approle/role/broker', { token_policies: ['signet-broker', 'signet-admin'] }),
    names: ['approle-broker.token_policies'],
  },
  {
    what: 'a broker log-in with the default policy',
    spoil: post('auth/signet-approle/role/broker', { token_no_default_policy: false }),
    names: ['approle-broker.token_no_default_policy'],
  },
  {
    what: 'a secret_id that lives for ever',
    spoil: post('auth/signet-approle/role/broker', { secret_id_ttl: 0 }),
    names: ['approle-broker.secret_id_ttl'],
  },
  {
    what: 'a broker token without an end',
    spoil: post('auth/signet-approle/role/broker', { token_period: '720h' }),
    names: ['approle-broker.token_period'],
  },
  {
    what: 'a second log-in as a broker',
    spoil: post('auth/signet-approle/role/other', { token_policies: ['signet-broker'] }),
    names: ['approle.unknown'],
    mend: remove('auth/signet-approle/role/other'),
  },

  {
    what: 'documents without check-and-set',
    spoil: post('signet/config', { cas_required: false }),
    names: ['kv-config.cas_required'],
  },
  {
    what: 'documents that vanish',
    spoil: post('signet/config', { delete_version_after: '1h' }),
    names: ['kv-config.delete_version_after'],
  },
];

/** Deletes a transit key and makes one of that kind. */
function replaceKey(name: string, type: string) {
  return async (lab: Lab) => {
    await post(`signet-transit/keys/${name}/config`, { deletion_allowed: true })(lab);
    await remove(`signet-transit/keys/${name}`)(lab);
    await post(`signet-transit/keys/${name}`, { type, ...(type === 'hmac' ? { key_size: 32 } : {}) })(lab);
  };
}

describe('doctor, on a real Vault, names a setting:', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
    await lab.register();
  });
  after(() => lab[Symbol.asyncDispose]());

  itNames(TRAPS, () => lab);

  it('and after all of that grants still work', async () => {
    leafIn(await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS)));
    assert.deepEqual((await lab.apply()).changes, []);
  });
});
