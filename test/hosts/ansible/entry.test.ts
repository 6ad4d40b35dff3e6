import assert from 'node:assert/strict';
import { createCa } from '../../support/ca.ts';
import { openStage, type Stage } from './stage.ts';

const ORDERS = {
  tenant: 'acme/shop',
  name: 'orders',
  spiffe_id: 'spiffe://example.org/ns/shop/sa/orders',
  match: { 'join:entry': 'acme/shop/orders' },
};
const entry = (change: object = {}, name = 'it') => ({
  name,
  'signet.identity.signet_entry': { ...ORDERS, ...change },
});

describe('signet_entry, with the real Vault, broker and ansible-playbook', function () {
  this.timeout(120_000);
  let stage: Stage;
  before(async function () {
    const opened = await openStage();
    if (opened === undefined) this.skip();
    stage = opened;
  });
  after(() => stage?.[Symbol.asyncDispose]());

  it('creates, finds it done, changes and removes it; check mode does nothing of that', async () => {
    const check = ['--check', '--diff'];
    const planned = await stage.operate([entry()], { args: check });
    assert.equal(planned.of('it').changed, true, planned.out);
    assert.match(planned.out, /\+ +"spiffe_id": "spiffe:\/\/example.org\/ns\/shop\/sa\/orders"/);
    assert.equal(await stage.entry('orders'), undefined);
    const made = await stage.operate([entry()]);
    assert.equal(made.of('it').changed, true, made.out);
    assert.equal((await stage.entry('orders')).state, 'active');
    const again = await stage.operate([entry()]);
    assert.equal(again.of('it').changed, false);
    assert.equal(again.of('it').entry.name, 'orders');

    const more = { ttl: '1h', networks: ['10.2.0.0/16', '10.1.0.0/16'] };
    assert.equal((await stage.operate([entry(more)], { args: check })).of('it').changed, true);
    assert.equal((await stage.entry('orders')).ttl, '15m');
    assert.equal((await stage.operate([entry(more)])).of('it').changed, true);
    assert.equal((await stage.entry('orders')).ttl, '1h');
    const turned = { ...more, networks: more.networks.toReversed() };
    assert.equal(
      (await stage.operate([entry(turned)])).of('it').changed,
      false,
      'a list of networks is a set',
    );

    const off = { ...more, enabled: false };
    assert.equal((await stage.operate([entry(off)])).of('it').changed, true);
    assert.equal((await stage.entry('orders')).state, 'disabled');
    assert.equal((await stage.operate([entry(off)])).of('it').changed, false);
    assert.equal((await stage.operate([entry(more)])).of('it').changed, true);
    assert.equal((await stage.entry('orders')).state, 'active');

    const gone = { state: 'absent' };
    assert.equal((await stage.operate([entry(gone)], { args: check })).of('it').changed, true);
    assert.equal((await stage.entry('orders')).state, 'active');
    assert.equal((await stage.operate([entry(gone)])).of('it').changed, true);
    assert.equal(await stage.entry('orders'), undefined);
    assert.equal((await stage.operate([entry(gone)])).of('it').changed, false);
  });

  it('completes what a broker that was killed has left', async () => {
    const cut = { ...ORDERS, name: 'cut', match: { 'join:entry': 'acme/shop/cut' } };
    const data = { ...cut, ttl: '15m', networks: [], federates_with: [], state: 'pending' };
    const path = 'signet/data/entries/acme.shop/cut';
    const written = await stage.site.vault.request('POST', path, { data, options: { cas: 0 } });
    assert.equal(written.status, 200, JSON.stringify(written.body));
    assert.equal((await stage.operate([entry(cut)])).of('it').changed, true);
    assert.equal((await stage.entry('cut')).state, 'active');
  });

  const id = (path: string) => ({ spiffe_id: `spiffe://example.org/${path}` });
  const refusals: readonly (readonly [what: string, change: object, code: string, option: string])[] = [
    ['a name that is none', { name: 'Orders' }, 'option_unusable', 'name'],
    ['a tenant that is none', { tenant: 'acme//shop' }, 'option_unusable', 'tenant'],
    ['no selectors', { match: {} }, 'option_missing', 'match'],
    ['selectors of two kinds', { match: { 'k8s:ns': 'a', 'join:entry': 'b' } }, 'option_unusable', 'match'],
    ['what is no selector', { match: { ns: 'a' } }, 'option_unusable', 'match'],
    ['a foreign ID', { spiffe_id: 'spiffe://other.org/a' }, 'malformed', 'spiffe_id'],
    ['an ID of another tenant', id('ns/globex/a'), 'vault_denied', 'tenant'],
    ['another tenant', { tenant: 'globex', match: { 'k8s:ns': 'a' } }, 'vault_denied', 'tenant'],
    ['a broker by http', { broker: 'http://127.0.0.1:1' }, 'option_unusable', 'broker'],
    ['an authority that is no file', { broker_ca: '/none.pem' }, 'option_unusable', 'broker_ca'],
    ['a broker of another trust domain', { trust_domain: 'other.org' }, 'BROKER_UNTRUSTED', 'broker'],
    ['two rights', { vault_token: 'own', delegation: 'd' }, 'two_rights', 'vault_token'],
  ];

  it('refuses what cannot be, at the option that it is about', async () => {
    const tasks = refusals.map(([what, change]) => ({ ...entry(change, what), ignore_errors: true }));
    const ran = await stage.operate(tasks);
    for (const [what, , code, option] of refusals)
      assert.deepEqual([ran.of(what).code, ran.of(what).option], [code, option], `${what}: ${ran.out}`);
  });

  for (const [what, env, code, option] of [
    ['no token', { VAULT_TOKEN: '' }, 'no_right', 'delegation'],
    ['what is no token', { VAULT_TOKEN: 'two words' }, 'option_unusable', 'vault_token'],
    ['no broker', { SIGNET_BROKER_URL: '' }, 'option_missing', 'broker'],
  ] as const)
    it(`refuses ${what} in the environment: ${code}`, async () => {
      const ran = await stage.operate([entry()], { env });
      assert.notEqual(ran.code, 0);
      assert.deepEqual([ran.of('it').code, ran.of('it').option], [code, option], ran.out);
    });

  it('is refused by whoever holds no certificate of the pinned authority', async () => {
    const ran = await stage.operate([entry({ broker_ca: (await createCa('example.org')).pem })]);
    assert.equal(ran.of('it').code, 'BROKER_UNTRUSTED', ran.out);
  });

  it('needs spiffe_id to be present, and takes no option that it does not have', async () => {
    const { spiffe_id: _, ...rest } = ORDERS;
    const missing = await stage.operate([{ name: 'it', 'signet.identity.signet_entry': rest }]);
    assert.match(missing.of('it').msg, /state is present but all of the following are missing: spiffe_id/);
    const strange = await stage.operate([entry({ selectors: {} })]);
    assert.match(strange.of('it').msg, /Unsupported parameters.*selectors/);
  });
});
