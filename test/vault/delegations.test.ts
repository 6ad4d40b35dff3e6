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
import type { TestIssuer } from '../sidecar/users/issuer.ts';
import { Delegating, DOCUMENT, IDS, WRITE_ROLE } from './delegating.ts';
import { type Lab, ORDERS, TRUST_DOMAIN } from './lab.ts';
import { remove, unregister } from './traps.ts';

describe('delegations, on a real Vault', () => {
  let lab: Lab;
  let issuer: TestIssuer;
  let world: Delegating;
  const described = (more: object = {}) => world.described(more);
  const delegate = (more: object = {}) => world.delegate(more);
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
    world = await Delegating.open();
    ({ lab, issuer } = world);
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
  after(() => world?.[Symbol.asyncDispose]());

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
      'signet/data/entries/acme.shop/web-one',
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
    for (const folder of ['entries', 'joins', 'services']) {
      assert.equal(await status('write', `signet/data/${folder}/acme.shop/web-one`, document), 200);
      assert.equal(await status('write', `signet/data/${folder}/acme.shop/orders`, document), 403);
      assert.equal(await status('write', `signet/data/${folder}/acme.shop.sub/web-one`, document), 403);
      assert.equal(await status('write', `signet/data/${folder}/acme.shop.web-sub/one`, document), 403);
      assert.equal(await status('write', `signet/data/${folder}/acme/web-one`, document), 403);
      assert.equal(await status('write', `signet/data/${folder}/acme-2/web-one`, document), 403);
      assert.equal(await status('read', `signet/data/${folder}/acme.shop/web-two`, document), 403);
      await lab.vault.request('DELETE', `signet/metadata/${folder}/acme.shop/web-one`);
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
    await lab.register({ name: 'web-old' });
    // what they may do already is taken away whatever is registered, and what they may not is not given
    await delegate({ id_prefixes: ['ns/shop/web/one/'] });
    await delegate({ entries: 'web-n' });
    for (const more of [{}, { name: 'shop-new' }])
      assert.match(await rejected(more), /^LAYOUT_CONFLICT .*acme\.shop\/web-old.*ns\/shop\/sa\/orders/);
    await unregister('web-old')(lab);
    await delegate({ entries: '', id_prefixes: ['ns/shop/', 'device/shop/'] });
    assert.deepEqual((await lab.examine()).findings, []);
    await delegate();
  });
});
