import assert from 'node:assert/strict';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { parseEntry } from '../../lib/attestation/index.ts';
import { SignetError } from '../../lib/errors.ts';
import { tokenRole } from '../../lib/grant/index.ts';
import { Secret } from '../../lib/secret.ts';
import {
  applyDelegation,
  listDelegations,
  parseDelegation,
  readDelegation,
  removeDelegation,
} from '../../lib/vault-layout/delegations/index.ts';
import { TestIssuer } from '../sidecar/users/issuer.ts';
import { type Lab, ORDERS, openLab, TRUST_DOMAIN } from './lab.ts';
import { itNames, post, remove, type Trap, unregister } from './traps.ts';

const IDS = {
  terraform_organization_id: 'org-1',
  terraform_project_id: 'prj-1',
  terraform_workspace_id: 'ws-1',
};
const WRITE_ROLE = 'auth/signet-jwt-hcp/role/shop-prod_write';
const DOCUMENT = 'signet/data/delegations/shop-prod';

describe('delegations, on a real Vault', () => {
  let lab: Lab;
  let issuer: TestIssuer;
  const described = (more: object = {}) => ({
    name: 'shop-prod',
    issuer: { name: 'hcp', url: issuer.url, jwks_url: `${issuer.url}/jwks` },
    audience: 'signet',
    claims: IDS,
    phase: { claim: 'terraform_run_phase', write: 'apply', read: 'plan' },
    tenant: 'acme/shop',
    id_prefixes: ['ns/shop/web/'],
    entries: 'web-',
    networks: ['127.0.0.0/8'],
    ttl: '30m',
    ...more,
  });
  const delegate = (more: object = {}) => applyDelegation(lab.port, parseDelegation(described(more)));
  const rejected = async (more: object) => {
    const error: unknown = await delegate(more).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof SignetError);
    return `${error.code} ${error.message}`;
  };
  const logIn = async (access: 'write' | 'read', claims: object = {}) => {
    const jwt = issuer.token(
      { aud: 'signet', ...IDS, terraform_run_phase: access === 'write' ? 'apply' : 'plan', ...claims },
      { typ: 'JWT' },
    );
    return await lab.vault.request(
      'POST',
      'auth/signet-jwt-hcp/login',
      { role: `shop-prod_${access}`, jwt },
      { token: '' },
    );
  };

  before(async () => {
    [lab, issuer] = await Promise.all([openLab(), TestIssuer.start()]);
    const { changes } = await delegate();
    assert.deepEqual(changes, [
      'sys/auth/signet-jwt-hcp',
      'auth/signet-jwt-hcp/config',
      'sys/policies/acl/signet-run-shop-prod_write',
      'sys/policies/acl/signet-run-shop-prod_read',
      WRITE_ROLE,
      'auth/signet-jwt-hcp/role/shop-prod_read',
      DOCUMENT,
    ]);
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  it('change nothing when they are made again, and leave doctor nothing to find', async () => {
    assert.deepEqual(await delegate(), { changes: [] });
    assert.deepEqual((await lab.examine()).findings, []);
    assert.deepEqual(await lab.apply(), { changes: [] });
    assert.deepEqual(
      (await lab.examine()).warnings.map(({ id }) => id).filter((id) => id.startsWith('policy')),
      [],
    );
  });
  it('are made by whoever has signet-admin, and seen by doctor with signet-viewer', async () => {
    using vault = createVault({ address: lab.vault.address });
    const as = async (policy: string) => withToken(vault, new Secret(await lab.tokenOf(policy)));
    const other = parseDelegation(
      described({ name: 'made', issuer: { ...described().issuer, name: 'made' } }),
    );
    assert.equal((await applyDelegation(await as('signet-admin'), other)).changes.length, 7);
    const viewer = await as('signet-viewer');
    assert.deepEqual(await listDelegations(viewer), ['made', 'shop-prod']);
    assert.deepEqual(await readDelegation(viewer, 'made'), other);
    assert.equal(await removeDelegation(await as('signet-admin'), 'made'), true);
    assert.equal(await removeDelegation(await as('signet-admin'), 'made'), false);
    assert.deepEqual((await lab.examine()).findings, []);
  });
  it('are beyond the broker, a registrar, an operator and a run itself', async () => {
    const run = (await logIn('write')).body.auth.client_token;
    for (const token of [
      await lab.brokerToken(),
      await lab.tokenOf('signet-registrar-acme.shop'),
      await lab.tokenOf('signet-operator'),
      run,
    ]) {
      const call = (path: string, body: object) => lab.vault.request('POST', path, body, { token });
      assert.equal((await call(DOCUMENT, { data: described(), options: { cas: 1 } })).status, 403);
      assert.equal((await call(WRITE_ROLE, { token_policies: 'signet-admin' })).status, 403);
      assert.equal(
        (await call('auth/signet-jwt-hcp/config', { jwks_url: 'http://127.0.0.1:1' })).status,
        403,
      );
      assert.equal((await call('sys/policies/acl/signet-run-shop-prod_write', { policy: '' })).status, 403);
    }
    const token = await lab.brokerToken();
    const entry = await lab.vault.request(
      'POST',
      'signet/data/entries/acme/shop/web-one',
      { data: {}, options: { cas: 0 } },
      { token },
    );
    assert.equal(entry.status, 403, "the broker's own credential registers nothing");
  });
  it('let Vault itself refuse what a broker would', async () => {
    assert.equal((await logIn('write')).status, 200);
    assert.equal((await logIn('read')).status, 200);
    for (const claims of [
      { terraform_workspace_id: 'ws-2' },
      { terraform_run_phase: 'plan' },
      { terraform_run_phase: undefined },
      { aud: 'vault' },
      { iss: 'https://app.terraform.io' },
      { exp: Math.floor(Date.now() / 1_000) - 120 },
    ])
      assert.notEqual((await logIn('write', claims)).status, 200, JSON.stringify(claims));
    const bound = async () => (await lab.examine()).warnings.every(({ id }) => id !== 'delegation.networks');
    assert.ok(await bound());
    await delegate({ networks: [] });
    assert.ok(!(await bound()), 'doctor warns of a delegation that is bound to no broker');
    await delegate({ networks: ['192.0.2.0/24'] });
    assert.notEqual((await logIn('write')).status, 200, 'from elsewhere than the brokers');
    await delegate();
    assert.equal((await logIn('write')).status, 200);
  });
  it('reach no further than names and prefixes, whatever is written past a broker', async () => {
    const tokens = {
      write: String((await logIn('write')).body.auth.client_token),
      read: String((await logIn('read')).body.auth.client_token),
    };
    const role = { ...tokenRole(parseEntry(ORDERS, { trustDomain: TRUST_DOMAIN })) };
    const own = { ...role, allowed_entity_aliases: 'ns/shop/web/one' };
    const status = async (access: 'write' | 'read', path: string, body: object) =>
      (await lab.vault.request('POST', path, body, { token: tokens[access] })).status;
    const document = { data: {}, options: { cas: 0 } };
    for (const folder of ['entries', 'joins']) {
      assert.equal(await status('write', `signet/data/${folder}/acme/shop/web-one`, document), 200);
      assert.equal(await status('write', `signet/data/${folder}/acme/shop/orders`, document), 403);
      assert.equal(await status('write', `signet/data/${folder}/acme/shop/sub/web-one`, document), 403);
      assert.equal(await status('write', `signet/data/${folder}/acme-2/web-one`, document), 403);
      assert.equal(await status('read', `signet/data/${folder}/acme/shop/web-two`, document), 403);
      await lab.vault.request('DELETE', `signet/metadata/${folder}/acme/shop/web-one`);
    }
    const roles = 'auth/token/roles';
    assert.equal(await status('write', `${roles}/signet-acme.shop_web-one`, own), 204);
    assert.equal(await status('write', `${roles}/signet-acme.shop_web-two`, role), 403);
    assert.equal(await status('write', `${roles}/signet-acme.shop_orders`, own), 403);
    assert.equal(await status('write', `${roles}/signet-acme.shop.sub_web-one`, own), 403);
    assert.equal(await status('read', `${roles}/signet-acme.shop_web-one`, own), 403);
    await remove(`${roles}/signet-acme.shop_web-one`)(lab);
  });
  it('take away what they have no more', async () => {
    const { token_policies: had } = (await logIn('read')).body.auth;
    assert.deepEqual(had, ['signet-run-shop-prod_read']);
    await delegate({ phase: undefined });
    assert.notEqual((await logIn('read')).status, 200);
    assert.deepEqual((await lab.examine()).findings, []);
    await delegate();
  });
  it('are refused when they would reach further than they say', async () => {
    assert.match(await rejected({ tenant: 'acme' }), /^LAYOUT_CONFLICT acme is not a tenant of the layout/);
    assert.match(
      await rejected({ id_prefixes: ['ns/other/'] }),
      /^LAYOUT_CONFLICT ns\/other\/ is not below a prefix/,
    );
    assert.match(
      await rejected({ entries: '' }),
      /^LAYOUT_CONFLICT .*Say how the names of its entries begin/,
    );
    assert.match(
      await rejected({ issuer: { ...described().issuer, jwks_url: 'https://other.example/jwks' } }),
      /^LAYOUT_CONFLICT .*other keys than this delegation's \(jwks_url\)/,
    );
    await delegate({ entries: '', id_prefixes: ['ns/shop/', 'device/shop/'] });
    assert.deepEqual((await lab.examine()).findings, []);
    await delegate();
  });

  describe('doctor names', () => {
    const mend = () => delegate();
    const login = (what: string, body: object, ...names: string[]): Trap => ({
      what,
      spoil: post(WRITE_ROLE, { role_type: 'jwt', ...body }),
      names: names.map((name) => `delegation.${name}`),
      mend,
    });
    const claims = { ...IDS, terraform_run_phase: 'apply' };
    const traps: readonly Trap[] = [
      login(
        'a log-in for another workspace',
        { bound_claims: { ...claims, terraform_workspace_id: 'ws-2' } },
        'bound_claims',
      ),
      login(
        'a log-in that asks for no workspace',
        { bound_claims: { terraform_organization_id: 'org-1' } },
        'bound_claims',
      ),
      login(
        'a log-in that asks for two phases',
        { bound_claims: { ...claims, terraform_run_phase: ['apply', 'plan'] } },
        'bound_claims',
      ),
      login('a log-in whose claims are globs', { bound_claims_type: 'glob' }, 'bound_claims_type'),
      login('a log-in of another audience', { bound_audiences: ['signet', 'vault'] }, 'bound_audiences'),
      login(
        'a log-in with more rights',
        { token_policies: ['signet-run-shop-prod_write', 'signet-admin'] },
        'token_policies',
      ),
      login(
        'a log-in with the default policy',
        { token_no_default_policy: false },
        'token_no_default_policy',
      ),
      login('a log-in for longer', { token_explicit_max_ttl: '24h' }, 'token_explicit_max_ttl'),
      login('a log-in without end', { token_period: '1h' }, 'token_period'),
      login('a log-in from everywhere', { token_bound_cidrs: [] }, 'token_bound_cidrs'),
      login('a log-in long after the end', { clock_skew_leeway: '1h' }, 'clock_skew_leeway'),
      {
        what: 'a log-in without an audience and with claims that are none',
        spoil: async (l) => {
          await remove(WRITE_ROLE)(l);
          await post(WRITE_ROLE, { role_type: 'jwt', user_claim: 'sub', bound_subject: 'x' })(l);
        },
        names: [
          ...['bound_audiences', 'bound_claims', 'bound_subject', 'clock_skew_leeway', 'token_bound_cidrs'],
          ...['token_explicit_max_ttl', 'token_max_ttl', 'token_no_default_policy', 'token_policies'],
          ...['token_ttl', 'token_type'],
        ].map((name) => `delegation.${name}`),
        mend: async (l) => {
          await remove(WRITE_ROLE)(l);
          await delegate();
        },
      },
      {
        what: 'a log-in that is gone',
        spoil: remove(WRITE_ROLE),
        names: ['delegation.no_login'],
        mend,
      },
      {
        what: 'a log-in of no delegation',
        spoil: post('auth/signet-jwt-hcp/role/any', {
          ...{ role_type: 'jwt', user_claim: 'sub', bound_audiences: ['x'] },
          token_policies: ['signet-registrar-acme.shop'],
        }),
        names: ['delegation.unknown_role'],
        mend: remove('auth/signet-jwt-hcp/role/any'),
      },
      {
        what: 'keys of somebody else',
        spoil: (l) =>
          post('auth/signet-jwt-hcp/config', {
            ...{ bound_issuer: issuer.url, jwks_url: `${issuer.url}/others` },
            jwt_supported_algs: ['RS256', 'ES256', 'PS256', 'EdDSA'],
          })(l),
        names: ['delegation.jwks_url'],
        mend: (l) =>
          post('auth/signet-jwt-hcp/config', {
            ...{ bound_issuer: issuer.url, jwks_url: `${issuer.url}/jwks` },
            jwt_supported_algs: ['RS256', 'ES256', 'PS256', 'EdDSA'],
          })(l),
      },
      {
        what: 'a policy that was widened',
        spoil: post('sys/policies/acl/signet-run-shop-prod_read', {
          policy: 'path "signet/*" { capabilities = ["read"] }',
        }),
        names: ['delegation.policy'],
        mend,
      },
      {
        what: 'a policy of no delegation',
        spoil: post('sys/policies/acl/signet-run-gone_write', {
          policy: 'path "x" { capabilities = ["read"] }',
        }),
        names: ['delegation.policy'],
        mend: remove('sys/policies/acl/signet-run-gone_write'),
      },
      {
        what: 'an entry of another ID whose name begins as those of a delegation',
        spoil: (l) => l.register({ name: 'web-orders' }),
        names: ['delegation.entries'],
        mend: unregister('web-orders'),
      },
    ];
    itNames(traps, () => lab);
    it('a document that cannot be read', async () => {
      const { body } = await lab.vault.request('GET', DOCUMENT);
      const cas = body.data.metadata.version;
      await post(DOCUMENT, { data: { name: 'shop-prod' }, options: { cas } })(lab);
      const ids = (await lab.examine()).findings.map(({ id }) => id);
      assert.ok(ids.includes('delegation.unreadable') && ids.includes('delegation.unknown_role'), ids.join());
      await post(DOCUMENT, { data: body.data.data, options: { cas: cas + 1 } })(lab);
      assert.deepEqual((await lab.examine()).findings, []);
    });
  });
});
