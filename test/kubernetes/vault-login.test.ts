import assert from 'node:assert/strict';
import type { TokenOptions } from '../../harness/kubernetes/objects.ts';
import { joinEntry, type TestBroker, until } from '../broker/site.ts';
import { spendGrant } from '../support/attest-client.ts';
import { type ClusterSite, openClusterSite } from './cluster-site.ts';
import { expired } from './service-accounts.ts';

describe('a broker that logs in to Vault by Kubernetes auth', function () {
  this.timeout(60_000);
  let site: ClusterSite;
  let broker: TestBroker;

  before(async () => {
    site = await openClusterSite();
    const { api } = site;
    await api.createNamespace('other');
    await api.createServiceAccount('other', 'signet-broker');
    for (const name of ['signet-broker', 'other']) await api.createServiceAccount('signet', name);
    await api.createPod({ namespace: 'signet', name: 'broker-1', serviceAccount: 'signet-broker' });
    await site.putToken(await own({ pod: 'broker-1' }));
  });
  after(() => site?.[Symbol.asyncDispose]());

  const tokenFor = (namespace: string, account: string, options: TokenOptions = {}) =>
    site.api.requestToken(namespace, account, { audience: 'vault', seconds: 600, ...options });
  const own = (options: TokenOptions = {}) => tokenFor('signet', 'signet-broker', options);
  const logIn = (jwt: string) =>
    site.vault.request('POST', 'auth/signet-kubernetes/login', { role: 'broker', jwt }, { token: '' });

  it('is known to Vault by what signet vault apply writes, and doctor is content', async () => {
    const without = await site.signet(...site.apply.slice(0, -2));
    assert.equal(without.code, 1);
    assert.match(without.out, /--kubernetes-reviewer/);
    const { code, out } = await site.signet(...site.apply);
    assert.equal(code, 0, out);
    assert.match(out, /^\+ auth\/signet-kubernetes\/role\/broker$/m);
    assert.match((await site.signet('vault', 'apply')).out, /^no changes$/m);
    const doctor = await site.signet('vault', 'doctor');
    assert.equal(doctor.code, 0, doctor.out);
  });

  it('is ready, and gives grants', async () => {
    broker = await site.startBroker();
    await grant();
  });

  it('logs in again when Vault has forgotten its token, with what is in the file by then', async () => {
    await site.putToken(await expired(site.api, await own({ pod: 'broker-1' })));
    const path = 'sys/leases/revoke-prefix/auth/signet-kubernetes/login';
    assert.ok((await site.vault.request('POST', path, { sync: true })).status < 300);
    const refused = await joinBy('signet-join-x');
    assert.deepEqual([refused.status, refused.body.code], [503, 'vault_unavailable']);
    assert.deepEqual(await broker.ready(), { status: 503, waiting: ['vault (VAULT_DENIED)'] });
    await site.putToken(await own({ pod: 'broker-1' }));
    await until(async () => (await joinBy('signet-join-x')).status !== 503);
    await until(async () => (await broker.ready()).status === 200);
    await grant();
    assert.doesNotMatch(broker.stdout() + broker.stderr(), /eyJ/, 'a token is in the log');
  });

  it('gives back its log-in when it ends', async () => {
    const accessors = async () =>
      (await site.vault.request('LIST', 'auth/token/accessors')).body.data.keys.length as number;
    const before = await accessors();
    assert.equal((await broker.stop()).code, 0);
    assert.equal(await accessors(), before - 1);
  });

  describe('and nobody else:', () => {
    const refused: [what: string, token: () => Promise<string>][] = [
      ['another service account of its namespace', () => tokenFor('signet', 'other')],
      ['a service account of its name elsewhere', () => tokenFor('other', 'signet-broker')],
      ['its token for another audience', () => own({ audience: 'signet' })],
      ['its token for the API server', () => own({ audience: site.api.url })],
      ['its token of ten minutes ago', async () => expired(site.api, await own())],
      ['a token that is none', async () => 'token'],
    ];
    for (const [what, token] of refused) {
      it(what, async () => {
        assert.equal((await logIn(await own())).status, 200);
        const answer = await logIn(await token());
        assert.ok([400, 403, 500].includes(answer.status), JSON.stringify(answer.body));
        assert.equal(answer.body.auth, undefined);
      });
    }
    it('not even its own pod once that is deleted', async () => {
      await site.api.createPod({ namespace: 'signet', name: 'broker-2', serviceAccount: 'signet-broker' });
      const token = await own({ pod: 'broker-2' });
      assert.equal((await logIn(token)).status, 200);
      await site.api.deletePod('signet', 'broker-2');
      // The API server remembers what it said of a token for up to ten seconds.
      await until(async () => (await logIn(token)).status === 403, 30_000);
    });
  });

  const joinBy = async (code: string) => {
    using client = await broker.connect();
    return await client.attest('join', () => ({ code }));
  };
  const grant = async () => {
    const registrar = await site.tokenOf('signet-registrar-acme.shop');
    const created = await broker.call('POST', '/v1/entries', joinEntry('orders'), registrar);
    assert.ok(created.status < 300, JSON.stringify(created.body));
    const made = await broker.call('POST', '/v1/entries/acme.shop/orders/join-code', {}, registrar);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const reply = await joinBy(made.body.code);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    await spendGrant(site.vault.request, reply.body);
  };
});
