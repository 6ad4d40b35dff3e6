import assert from 'node:assert/strict';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { Secret } from '../../lib/secret.ts';
import { examineVault, parseLayout } from '../../lib/vault-layout/index.ts';
import { createCa } from '../support/ca.ts';
import { expectOk, type Lab, leafIn, ORDERS_ALIAS, ORDERS_ROLE, openLab } from './lab.ts';

type Trap = {
  readonly what: string;
  /** Sets it wrong, as root. Gives back how to put it right where `apply` does not. */
  readonly spoil: (lab: Lab) => Promise<unknown>;
  readonly names: readonly string[];
  readonly mend?: (lab: Lab) => Promise<unknown>;
};

const post = (path: string, body: object) => (lab: Lab) => expectOk(lab.vault.request('POST', path, body));
const remove = (path: string) => (lab: Lab) => expectOk(lab.vault.request('DELETE', path));
const role = (changes: object) => (lab: Lab) =>
  expectOk(lab.vault.request('POST', `auth/token/roles/${ORDERS_ROLE}`, changes));
const registerAgain = async (lab: Lab) => {
  await lab.vault.request('DELETE', `auth/token/roles/${ORDERS_ROLE}`);
  await lab.register();
};

const FAULTS: readonly Trap[] = [
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
    what: 'a new issuer that signs at once',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet-pki/config/issuers');
      await post('signet-pki/config/issuers', {
        default: body.data.default,
        default_follows_latest_issuer: true,
      })(lab);
    },
    names: ['issuer.default_follows_latest_issuer'],
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

  {
    what: 'a token role without an entry',
    spoil: post('auth/token/roles/signet-acme.shop_ghost', { allowed_policies: 'signet-workload-15m' }),
    names: ['registration.orphan_role'],
    mend: remove('auth/token/roles/signet-acme.shop_ghost'),
  },
  {
    what: 'an entry without a token role',
    spoil: remove(`auth/token/roles/${ORDERS_ROLE}`),
    names: ['registration.no_role'],
    mend: registerAgain,
  },
  {
    what: 'a disabled entry whose role is there',
    spoil: (lab) => lab.register({ state: 'disabled' }),
    names: ['registration.disabled'],
    mend: registerAgain,
  },
  {
    what: 'an entry outside its tenant',
    spoil: (lab) => lab.register({ name: 'out', spiffe_id: 'spiffe://example.org/ns/other/sa/x' }),
    names: ['registration.outside'],
    mend: unregister('out'),
  },
  {
    what: 'an entry of a tenant that the layout does not have',
    spoil: (lab) => lab.register({ tenant: 'acme', name: 'up' }),
    names: ['registration.outside'],
    mend: async (lab) => {
      await remove('auth/token/roles/signet-acme_up')(lab);
      await remove('signet/metadata/entries/acme/up')(lab);
    },
  },
  {
    what: 'an entry with a lifetime that the layout does not have',
    spoil: (lab) => lab.register({ name: 'long', ttl: '24h' }),
    names: ['registration.ttl'],
    mend: unregister('long'),
  },
  {
    what: 'a document that is no entry',
    spoil: post('signet/data/entries/acme/shop/odd', { data: { a: 1 }, options: { cas: 0 } }),
    names: ['entry.unreadable'],
    mend: remove('signet/metadata/entries/acme/shop/odd'),
  },
  {
    what: 'an entry in the place of another',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet/data/entries/acme/shop/orders');
      await post('signet/data/entries/acme/shop/copy', { data: body.data.data, options: { cas: 0 } })(lab);
    },
    names: ['entry.misplaced'],
    mend: remove('signet/metadata/entries/acme/shop/copy'),
  },
  {
    what: 'a role with a star for aliases',
    spoil: role({ allowed_entity_aliases: 'ns/shop/*' }),
    names: ['token-role.allowed_entity_aliases'],
    mend: registerAgain,
  },
  {
    what: 'a role with a second alias',
    spoil: role({ allowed_entity_aliases: [ORDERS_ALIAS, 'ns/shop/sa/web'] }),
    names: ['token-role.allowed_entity_aliases'],
    mend: registerAgain,
  },
  {
    what: 'a role with another policy',
    spoil: role({ allowed_policies: 'signet-workload-15m,signet-admin' }),
    names: ['token-role.allowed_policies'],
    mend: registerAgain,
  },
  {
    what: 'a role without a policy',
    spoil: role({ allowed_policies: '' }),
    names: ['token-role.allowed_policies'],
    mend: registerAgain,
  },
  {
    what: 'a role with a glob of policies',
    spoil: role({ allowed_policies_glob: 'signet-*' }),
    names: ['token-role.allowed_policies_glob'],
    mend: registerAgain,
  },
  {
    what: 'a role with many uses',
    spoil: role({ token_num_uses: 0 }),
    names: ['token-role.token_num_uses'],
    mend: registerAgain,
  },
  {
    what: 'a role with a parent',
    spoil: role({ orphan: false }),
    names: ['token-role.orphan'],
    mend: registerAgain,
  },
  {
    what: 'a role with renewal',
    spoil: role({ renewable: true }),
    names: ['token-role.renewable'],
    mend: registerAgain,
  },
  {
    what: 'a role with a long life',
    spoil: role({ token_explicit_max_ttl: '24h' }),
    names: ['token-role.token_explicit_max_ttl'],
    mend: registerAgain,
  },
  {
    what: 'a role with a period',
    spoil: role({ token_period: '1h', token_explicit_max_ttl: '5m' }),
    names: ['token-role.token_period'],
    mend: registerAgain,
  },
  {
    what: 'a role with the default policy',
    spoil: role({ token_no_default_policy: false }),
    names: ['token-role.token_no_default_policy'],
    mend: registerAgain,
  },
  {
    what: 'a role bound to networks that the entry does not name',
    spoil: role({ token_bound_cidrs: '10.0.0.0/8' }),
    names: ['token-role.token_bound_cidrs'],
    mend: registerAgain,
  },
  {
    what: "a role of somebody else's that gives out Signet's policies",
    spoil: post('auth/token/roles/theirs', { allowed_policies: 'signet-workload-15m' }),
    names: ['token-role.foreign'],
    mend: remove('auth/token/roles/theirs'),
  },
  {
    what: "a role of somebody else's that gives out all policies",
    spoil: post('auth/token/roles/theirs', { allowed_policies_glob: '*' }),
    names: ['token-role.foreign'],
    mend: remove('auth/token/roles/theirs'),
  },
  {
    what: "a role of somebody else's that gives out identities",
    spoil: post('auth/token/roles/theirs', { allowed_entity_aliases: 'ns/*' }),
    names: ['token-role.foreign'],
    mend: remove('auth/token/roles/theirs'),
  },

  {
    what: 'an issuer whose leaves may outlive it',
    spoil: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'permit' }),
    names: ['issuer.leaf_not_after_behavior'],
    mend: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'err' }),
  },
  {
    what: 'an issuer that cuts lives short',
    spoil: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'truncate' }),
    names: ['issuer.leaf_not_after_behavior'],
    mend: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'err' }),
  },
  {
    what: 'an issuer of another trust domain, of RSA, of any path length',
    spoil: post('signet-pki/issuers/generate/root/internal', {
      common_name: 'x',
      issuer_name: 'bad',
      uri_sans: 'spiffe://example.com',
      key_type: 'rsa',
      ttl: '8760h',
    }),
    names: ['issuer.uri_san', 'issuer.key_type', 'issuer.path_length'],
    mend: remove('signet-pki/issuer/bad'),
  },
  {
    what: 'an issuer without an ID',
    spoil: post('signet-pki/issuers/generate/root/internal', {
      common_name: 'x',
      issuer_name: 'bad',
      key_type: 'ec',
      max_path_length: 0,
      ttl: '8760h',
    }),
    names: ['issuer.uri_san'],
    mend: remove('signet-pki/issuer/bad'),
  },
  {
    what: 'an issuer that ends before an SVID would',
    spoil: post('signet-pki/issuers/generate/root/internal', {
      common_name: 'x',
      issuer_name: 'bad',
      uri_sans: 'spiffe://example.org',
      key_type: 'ec',
      max_path_length: 0,
      ttl: '30m',
    }),
    names: ['issuer.expired'],
    mend: remove('signet-pki/issuer/bad'),
  },
  {
    what: "a stranger's root among the issuers",
    spoil: async (lab) => {
      const { pem } = await createCa('example.org');
      const { body } = await post('signet-pki/issuers/import/cert', { pem_bundle: pem })(lab);
      await post(`signet-pki/issuer/${body.data.imported_issuers[0]}`, { issuer_name: 'bad' })(lab);
    },
    names: ['issuer.stranger'],
    mend: remove('signet-pki/issuer/bad'),
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

function unregister(name: string) {
  return async (lab: Lab) => {
    await remove(`auth/token/roles/signet-acme.shop_${name}`)(lab);
    await remove(`signet/metadata/entries/acme/shop/${name}`)(lab);
  };
}

describe('doctor, on a real Vault', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
    await lab.register();
    await lab.register({ name: 'net', networks: ['10.0.0.0/8', '192.0.2.7/32', '2001:db8::1/128'] });
  });
  after(() => lab[Symbol.asyncDispose]());

  it('finds nothing after apply', async () => {
    const { findings, warnings } = await lab.examine();
    assert.deepEqual(findings, []);
    assert.deepEqual(
      warnings.map(({ id }) => id),
      ['vault.audit'],
    );
  });

  describe('names', () => {
    for (const { what, spoil, names, mend } of FAULTS) {
      it(what, async () => {
        await spoil(lab);
        const { findings } = await lab.examine();
        assert.deepEqual(
          findings.map(({ id }) => id).sort(),
          [...names].sort(),
          JSON.stringify(findings, null, 1),
        );
        for (const { setting, allows, fix } of findings)
          for (const text of [setting, allows, fix]) assert.notEqual(text, '');
        await (mend ?? ((l: Lab) => l.apply()))(lab);
        assert.deepEqual((await lab.examine()).findings, []);
      });
    }
  });

  it('leaves grants working after all of that', async () => {
    leafIn(await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS)));
  });

  describe('warns of', () => {
    const warnings: [
      what: string,
      id: string,
      spoil: (lab: Lab) => Promise<unknown>,
      mend: (lab: Lab) => Promise<unknown>,
    ][] = [
      [
        'a policy of others that signs',
        'policy.foreign',
        post('sys/policies/acl/theirs', { policy: 'path "signet-pki/sign/*" { capabilities = ["update"] }' }),
        remove('sys/policies/acl/theirs'),
      ],
      [
        'a policy that opens everything',
        'policy.foreign',
        post('sys/policies/acl/theirs', { policy: 'path "*" { capabilities = ["create", "update"] }' }),
        remove('sys/policies/acl/theirs'),
      ],
      [
        'the default policy, when it registers',
        'policy.foreign',
        async (l) => {
          const { body } = await l.vault.request('GET', 'sys/policies/acl/default');
          await post('sys/policies/acl/default', {
            policy: `${body.data.policy}\npath "auth/token/roles/+" { capabilities = ["create"] }`,
          })(l);
        },
        async (l) => {
          const { body } = await l.vault.request('GET', 'sys/policies/acl/default');
          await post('sys/policies/acl/default', {
            policy: body.data.policy.replace(/path "auth\/token\/roles\/\+".*$/s, ''),
          })(l);
        },
      ],
      [
        'an entry that is half registered',
        'registration.pending',
        (l) => l.register({ name: 'half', state: 'pending' }),
        unregister('half'),
      ],
    ];
    for (const [what, id, spoil, mend] of warnings) {
      it(what, async () => {
        const before = (await lab.examine()).warnings.map((w) => w.id);
        await spoil(lab);
        const report = await lab.examine();
        assert.deepEqual(report.findings, []);
        assert.deepEqual(
          report.warnings.map((w) => w.id).filter((w) => !before.includes(w)),
          [id],
        );
        await mend(lab);
        assert.deepEqual(
          (await lab.examine()).warnings.map((w) => w.id),
          before,
        );
      });
    }
    it('an issuer in its last month, and then of its last hour', async () => {
      const { body } = await lab.vault.request('GET', 'signet-pki/issuer/default/json');
      const { readCertificate, pemToDer } = await import('../../lib/svid/index.ts');
      const ends = readCertificate(pemToDer(body.data.certificate)[0]!).notAfter.getTime();
      const at = (ms: number) =>
        examineVault(lab.port, lab.layout, { now: new Date(ends - ms), nodeVersion: '26.13.1' });
      assert.ok((await at(29 * 24 * 3600_000)).warnings.some(({ id }) => id === 'issuer.expires'));
      assert.deepEqual(
        (await at(59 * 60_000)).findings.map(({ id }) => id),
        ['issuer.expired'],
      );
      assert.deepEqual(
        (await at(31 * 24 * 3600_000)).warnings.map(({ id }) => id),
        ['vault.audit'],
      );
    });
    it('an old Node', async () => {
      const on = async (nodeVersion: string) =>
        (await examineVault(lab.port, lab.layout, { now: new Date(), nodeVersion })).warnings.some(
          ({ id }) => id === 'node.version',
        );
      for (const old of ['20.19.0', '24.22.2', '25.9.0', '26.13.0', '26.10.0'])
        assert.equal(await on(old), true, old);
      for (const sound of ['24.22.3', '24.23.0', '26.13.1', '26.14.0', '27.0.0'])
        assert.equal(await on(sound), false, sound);
    });
    it('a layout that is not the one that was applied', async () => {
      const other = parseLayout({
        trust_domain: 'example.org',
        svid_ttls: ['15m', '1h'],
        tenants: lab.layout.tenants.map((t) => ({ name: t.name, id_prefixes: t.idPrefixes })),
        broker: { dns: ['localhost'], secret_id_ttl: '24h' },
      });
      const report = await examineVault(lab.port, other, { now: new Date(), nodeVersion: '26.13.1' });
      assert.deepEqual(
        report.warnings.map(({ id }) => id),
        ['vault.audit', 'layout.document'],
      );
      assert.deepEqual(
        report.findings.map(({ id }) => id),
        ['approle-broker.secret_id_ttl'],
      );
    });
    it('no audit device, until there is one', async () => {
      await expectOk(
        lab.vault.request('PUT', 'sys/audit/test', { type: 'file', options: { file_path: 'discard' } }),
      );
      assert.deepEqual((await lab.examine()).warnings, []);
      await expectOk(lab.vault.request('DELETE', 'sys/audit/test'));
    });
  });

  describe('with less than root', () => {
    const as = async (policy: string) => {
      using client = createVault({ address: lab.vault.address });
      const port = withToken(client, new Secret(await lab.tokenOf(policy)));
      return await examineVault(port, lab.layout, { now: new Date(), nodeVersion: '26.13.1' });
    };
    it('signet-admin sees all of it', async () => {
      assert.deepEqual(await as('signet-admin'), await lab.examine());
    });
    it('signet-viewer sees all but the audit devices and the policies of others, and doctor says so', async () => {
      const { findings, warnings } = await as('signet-viewer');
      assert.deepEqual(findings, []);
      assert.deepEqual(
        warnings.map(({ id }) => id),
        ['doctor.unread'],
      );
      assert.match(warnings[0]!.setting, /sys\/audit/);
      assert.match(warnings[0]!.setting, /sys\/policies\/acl\/default/);
    });
    it('signet-viewer finds faults all the same', async () => {
      await post('signet-transit/keys/policy/config', { deletion_allowed: true })(lab);
      const { findings } = await as('signet-viewer');
      await lab.apply();
      assert.deepEqual(
        findings.map(({ id }) => id),
        ['transit-policy.deletion_allowed'],
      );
    });
    it('a token that sees next to nothing gets no clean bill', async () => {
      const { findings, warnings } = await as('signet-workload-15m');
      assert.deepEqual(findings, []);
      assert.deepEqual(
        warnings.map(({ id }) => id),
        ['doctor.unread'],
      );
      for (const path of [
        'sys/mounts',
        'signet-pki/roles/workload',
        'sys/policies/acl',
        'auth/token/roles',
        'signet/metadata/entries/',
      ]) {
        assert.ok(warnings[0]!.setting.includes(path), path);
      }
    });
  });
});
