import assert from 'node:assert/strict';
import { parseEntry } from '../../lib/attestation/index.ts';
import { tokenRole } from '../../lib/grant/index.ts';
import {
  expectOk,
  type Lab,
  leafIn,
  newCsr,
  ORDERS,
  ORDERS_ALIAS,
  ORDERS_ROLE,
  openLab,
  TRUST_DOMAIN,
} from './lab.ts';

const GOOD = tokenRole(parseEntry(ORDERS, { trustDomain: TRUST_DOMAIN }));
const without = (field: string) =>
  Object.fromEntries(Object.entries(GOOD).filter(([name]) => name !== field));

describe('a registrar, on a real Vault', () => {
  let lab: Lab;
  let token: string;
  before(async () => {
    lab = await openLab();
    token = await lab.tokenOf('signet-registrar-acme.shop');
  });
  after(() => lab[Symbol.asyncDispose]());

  const call = (method: string, path: string, body?: unknown) =>
    lab.vault.request(method, path, body, { token });
  const writeRole = (name: string, body: object) => call('POST', `auth/token/roles/${name}`, body);

  describe('may, for its own tenant,', () => {
    it('write and delete token roles, as lib/grant makes them', async () => {
      for (const name of [ORDERS_ROLE, 'signet-acme.shop.sub_orders']) {
        assert.equal((await writeRole(name, GOOD)).status, 204);
        assert.equal(
          (await writeRole(name, { ...GOOD, allowed_policies: 'signet-workload-1h' })).status,
          204,
          'again',
        );
        assert.equal((await call('DELETE', `auth/token/roles/${name}`)).status, 204);
      }
    });
    it('write an open pattern below its prefix, and bind it to networks', async () => {
      const open = {
        ...GOOD,
        allowed_entity_aliases: 'ns/shop/sa/*',
        token_bound_cidrs: '10.0.0.0/8,192.0.2.0/24',
      };
      assert.equal((await writeRole(ORDERS_ROLE, open)).status, 204);
      assert.equal(
        (await writeRole(ORDERS_ROLE, { ...GOOD, allowed_entity_aliases: 'device/shop/*/ins/*' })).status,
        204,
      );
    });
    it('write, read, list and delete entries, services and join codes, and those of the tenants below it', async () => {
      for (const [folder, tenant] of ['entries', 'services', 'joins'].flatMap((each) => [
        [each, 'acme.shop'],
        [each, 'acme.shop.web'],
      ])) {
        const path = `${tenant}/${folder}-test`;
        assert.equal(
          (await call('POST', `signet/data/${folder}/${path}`, { data: {}, options: { cas: 0 } })).status,
          200,
        );
        assert.equal((await call('GET', `signet/data/${folder}/${path}`)).status, 200);
        assert.equal((await call('GET', `signet/metadata/${folder}/${tenant}?list=true`)).status, 200);
        assert.equal((await call('DELETE', `signet/metadata/${folder}/${path}`)).status, 204);
      }
    });
    it('raise the revision', async () => {
      const read = await call('GET', 'signet/data/revision');
      const cas = read.body.data.metadata.version;
      assert.equal(
        (await call('POST', 'signet/data/revision', { data: { revision: 1 }, options: { cas } })).status,
        200,
      );
    });
  });

  describe('cannot give a role', () => {
    const changes: [what: string, body: object][] = [
      ['another policy', { ...GOOD, allowed_policies: 'signet-admin' }],
      ['a policy behind a comma', { ...GOOD, allowed_policies: 'signet-workload-15m,root' }],
      [
        'two lifetimes behind a comma',
        { ...GOOD, allowed_policies: 'signet-workload-15m,signet-workload-1h' },
      ],
      ['a policy in a list', { ...GOOD, allowed_policies: ['signet-workload-15m', 'root'] }],
      ['a policy of a name that only starts well', { ...GOOD, allowed_policies: 'signet-workload-15mx' }],
      ['a policy glob', { ...GOOD, allowed_policies_glob: 'signet-*' }],
      ['no policy', { ...GOOD, allowed_policies: '' }],
      ['an empty list of policies', { ...GOOD, allowed_policies: [] }],
      ['blank policies', { ...GOOD, allowed_policies: ' ' }],
      ['a comma for policies', { ...GOOD, allowed_policies: ',' }],
      ['null for policies', { ...GOOD, allowed_policies: null }],
      ["another tenant's prefix", { ...GOOD, allowed_entity_aliases: 'ns/other/sa/orders' }],
      ['a star for everything', { ...GOOD, allowed_entity_aliases: '*' }],
      ['a star in place of its prefix', { ...GOOD, allowed_entity_aliases: 'ns/*' }],
      ['a second alias behind a comma', { ...GOOD, allowed_entity_aliases: 'ns/shop/a,ns/other/b' }],
      ['a second alias in a list', { ...GOOD, allowed_entity_aliases: ['ns/shop/a', 'ns/other/b'] }],
      ['two aliases of its own behind a comma', { ...GOOD, allowed_entity_aliases: 'ns/shop/a,ns/shop/b' }],
      ['no alias', { ...GOOD, allowed_entity_aliases: '' }],
      ['an empty list of aliases', { ...GOOD, allowed_entity_aliases: [] }],
      ['capitals in an alias', { ...GOOD, allowed_entity_aliases: 'ns/shop/sa/Orders' }],
      ['a way out of its prefix', { ...GOOD, allowed_entity_aliases: 'ns/shop/../other/x' }],
      ['an escaped alias', { ...GOOD, allowed_entity_aliases: 'ns/shop/%6frders' }],
      ['an alias with a query', { ...GOOD, allowed_entity_aliases: 'ns/shop/x?y' }],
      ["the broker's own ID", { ...GOOD, allowed_entity_aliases: 'signet/broker' }],
      ['no number of uses', { ...GOOD, token_num_uses: '0' }],
      ['an empty number of uses', { ...GOOD, token_num_uses: '' }],
      ['two uses', { ...GOOD, token_num_uses: '2' }],
      ['a number for uses that is not text', { ...GOOD, token_num_uses: 0 }],
      ['a longer life', { ...GOOD, token_explicit_max_ttl: '1h' }],
      ['an empty life', { ...GOOD, token_explicit_max_ttl: '' }],
      ['a period', { ...GOOD, token_period: '1h' }],
      ['a life of the old name', { ...GOOD, explicit_max_ttl: '1h' }],
      ['the default policy', { ...GOOD, token_no_default_policy: 'false' }],
      ['the default policy by saying nothing', { ...GOOD, token_no_default_policy: '' }],
      ['a parent', { ...GOOD, orphan: 'false' }],
      ['a parent by saying nothing', { ...GOOD, orphan: '' }],
      ['renewal', { ...GOOD, renewable: 'true' }],
      ['batch tokens', { ...GOOD, token_type: 'batch' }],
      ['a path of its own', { ...GOOD, path_suffix: 'x' }],
      ['a field in capitals that Vault might read', { ...GOOD, ALLOWED_POLICIES: 'root' }],
      ...Object.keys(GOOD).map((field): [string, object] => [`nothing for ${field}`, without(field)]),
    ];
    for (const [what, body] of changes) {
      it(what, async () => {
        assert.equal((await writeRole('signet-acme.shop_evil', body)).status, 403);
      });
    }
  });

  describe('cannot reach', () => {
    const others: [what: string, method: string, path: string, body?: object][] = [
      ['the roles of the tenant above', 'POST', 'auth/token/roles/signet-acme_orders', GOOD],
      [
        'the roles of a tenant whose name goes on after its own',
        'POST',
        'auth/token/roles/signet-acme.shop-2_orders',
        GOOD,
      ],
      ['the roles of another tenant', 'POST', 'auth/token/roles/signet-acme-2_orders', GOOD],
      ['the deletion of those', 'DELETE', 'auth/token/roles/signet-acme-2_orders'],
      ['roles that are not of Signet', 'POST', 'auth/token/roles/orders', GOOD],
      [
        'the entries of another tenant',
        'POST',
        'signet/data/entries/acme-2/x',
        { data: {}, options: { cas: 0 } },
      ],
      ['the reading of those', 'GET', 'signet/data/entries/acme-2/x'],
      ['the list of those', 'GET', 'signet/metadata/entries/acme-2?list=true'],
      ['the list of tenants', 'GET', 'signet/metadata/entries?list=true'],
      [
        'the entries of a tenant that begins so',
        'POST',
        'signet/data/entries/acme.shop-2/x',
        { data: {}, options: { cas: 0 } },
      ],
      ['the deletion of those', 'DELETE', 'signet/metadata/entries/acme-2/x'],
      [
        'the entries of the tenant above',
        'POST',
        'signet/data/entries/acme/x',
        { data: {}, options: { cas: 0 } },
      ],
      ['the join codes of another tenant', 'GET', 'signet/data/joins/acme-2/x'],
      ['policies', 'POST', 'signet/data/policies/x', { data: {}, options: { cas: 0 } }],
      ['instances', 'POST', 'signet/data/instances/x', { data: {}, options: { cas: 0 } }],
      ['the deny-list', 'POST', 'signet/data/denylist', { data: {}, options: { cas: 1 } }],
      ['the layout', 'POST', 'signet/data/layout', { data: {}, options: { cas: 1 } }],
      ["the store's settings", 'POST', 'signet/config', { cas_required: false }],
      ['a grant', 'POST', `auth/token/create/${ORDERS_ROLE}`, { entity_alias: ORDERS_ALIAS }],
      ['tokens', 'POST', 'auth/token/create', { policies: ['signet-registrar-acme.shop'] }],
      [
        'signing',
        'POST',
        'signet-pki/sign/workload',
        { csr: 'x', uri_sans: 'spiffe://example.org/ns/shop/x', ttl: '15m' },
      ],
      ['PKI roles', 'POST', 'signet-pki/roles/workload', { allow_any_name: true }],
      ['ACL policies', 'POST', 'sys/policies/acl/signet-registrar-acme.shop', { policy: '' }],
      ['the signing of policies', 'POST', 'signet-transit/sign/policy', { input: 'eA==' }],
      ['entities', 'POST', 'identity/entity', { name: 'x' }],
      ['aliases', 'POST', 'identity/entity-alias', { name: 'ns/shop/x' }],
      ["a broker's credential", 'POST', 'auth/signet-approle/role/broker/secret-id', {}],
    ];
    for (const [what, method, path, body] of others) {
      it(what, async () => {
        assert.equal((await call(method, path, body)).status, 403);
      });
    }
  });

  describe('would, under laxer policies (each is why ours is as it is)', () => {
    beforeEach(() => lab.vault.request('DELETE', `auth/token/roles/${ORDERS_ROLE}`));

    const lax = (path: string, changes: { policies?: string; denied?: string } = {}) => `
      path "${path}" {
        capabilities = ["create", "update"]
        required_parameters = ["allowed_policies", "allowed_entity_aliases", "orphan", "token_num_uses"]
        allowed_parameters = { "allowed_policies" = [${changes.policies ?? '"signet-workload-15m"'}], "*" = [] }
        ${changes.denied ? `denied_parameters = { "allowed_policies" = [${changes.denied}] }` : ''}
      }`;
    const laxRegistrar = async (policy: string) => {
      await expectOk(lab.vault.request('POST', 'sys/policies/acl/lax', { policy }));
      return lab.tokenOf('lax');
    };

    it('give a role no policy, so that a grant carries the policies of the broker that asked for it: its certificate, for one', async () => {
      const evil = await laxRegistrar(lax('auth/token/roles/signet-acme.shop_*', { denied: '"*,*"' }));
      const body = { ...GOOD, allowed_policies: '' };
      assert.equal(
        (await lab.vault.request('POST', `auth/token/roles/${ORDERS_ROLE}`, body, { token: evil })).status,
        204,
      );
      const grant = await lab.grant(ORDERS_ROLE, ORDERS_ALIAS);
      const stolen = await lab.vault.request(
        'POST',
        'signet-pki/sign/broker',
        { csr: newCsr(), uri_sans: 'spiffe://example.org/signet/broker' },
        { token: grant },
      );
      assert.deepEqual(leafIn(stolen).uriSans, ['spiffe://example.org/signet/broker']);
    });

    it('give it the policy root behind a comma, where policies are allowed by a glob', async () => {
      const evil = await laxRegistrar(
        lax('auth/token/roles/signet-acme.shop_*', { policies: '"signet-workload-*"' }),
      );
      const body = { ...GOOD, allowed_policies: 'signet-workload-15m,root' };
      assert.equal(
        (await lab.vault.request('POST', `auth/token/roles/${ORDERS_ROLE}`, body, { token: evil })).status,
        204,
      );
      const role = await lab.vault.request('GET', `auth/token/roles/${ORDERS_ROLE}`);
      assert.ok(role.body.data.allowed_policies.includes('root'));
    });

    it('write no number of uses as an empty text, where the number is only allowed to be 1', async () => {
      const policy = `path "auth/token/roles/signet-acme.shop_*" { capabilities = ["create", "update"]
        required_parameters = ["token_num_uses"]
        allowed_parameters = { "token_num_uses" = ["1"], "*" = [] } }`;
      const evil = await laxRegistrar(policy);
      const body = { ...GOOD, token_num_uses: '' };
      assert.equal(
        (await lab.vault.request('POST', `auth/token/roles/${ORDERS_ROLE}`, body, { token: evil })).status,
        204,
      );
      const role = await lab.vault.request('GET', `auth/token/roles/${ORDERS_ROLE}`);
      assert.equal(role.body.data.token_num_uses ?? 0, 0);
    });

    it('reach the tenant acme-2, where tenant and entry were joined by a hyphen', async () => {
      const evil = await laxRegistrar(lax('auth/token/roles/signet-acme-*'));
      assert.equal(
        (await lab.vault.request('POST', 'auth/token/roles/signet-acme-2_orders', GOOD, { token: evil }))
          .status,
        204,
      );
      const own = await lab.tokenOf('signet-registrar-acme-2');
      assert.equal(
        (await lab.vault.request('POST', 'auth/token/roles/signet-acme.shop_orders', GOOD, { token: own }))
          .status,
        403,
      );
    });
  });

  it('has no use for reading its roles: Vault holds a read against the required parameters', async () => {
    await expectOk(
      lab.vault.request('POST', 'sys/policies/acl/reader', {
        policy: 'path "auth/token/roles/*" { capabilities = ["read"] required_parameters = ["orphan"] }',
      }),
    );
    await writeRole(ORDERS_ROLE, GOOD);
    const reader = await lab.tokenOf('reader');
    assert.equal(
      (await lab.vault.request('GET', `auth/token/roles/${ORDERS_ROLE}`, undefined, { token: reader }))
        .status,
      403,
    );
  });

  it('sends a form in place of JSON and gets no further', async () => {
    const form = new URLSearchParams({ ...GOOD, allowed_policies: '', token_num_uses: '' });
    const answer = await fetch(`${lab.vault.address}/v1/auth/token/roles/signet-acme.shop_form`, {
      method: 'POST',
      headers: { 'x-vault-token': token },
      body: form,
    });
    assert.equal(answer.status, 403);
    form.set('allowed_policies', 'signet-workload-15m');
    form.set('token_num_uses', '1');
    const good = await fetch(`${lab.vault.address}/v1/auth/token/roles/signet-acme.shop_form`, {
      method: 'POST',
      headers: { 'x-vault-token': token },
      body: form,
    });
    assert.equal(good.status, 204, 'a form as such is read');
  });
});
