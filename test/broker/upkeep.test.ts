import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { startVaultProxy, type VaultProxy } from '../fakes/vault-proxy.ts';
import { hostEntry, joinEntry, openSite, type Site, type TestBroker, until } from './site.ts';

describe('what a broker keeps alive', function () {
  this.timeout(60_000);
  let site: Site;
  let proxy: VaultProxy;
  before(async () => {
    site = await openSite();
    proxy = await startVaultProxy(site.vault.address);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  });

  it('its log-in: renewed in time, not made anew', async () => {
    const role = 'auth/signet-approle/role/broker';
    await site.vault.request('POST', role, { token_period: '3s' });
    const broker = await site.startBroker({ VAULT_ADDR: proxy.address });
    const calls = (path: string) => proxy.calls.filter((call) => call.path === path).length;
    await until(() => calls('auth/token/renew-self') >= 3);
    assert.equal(calls('auth/signet-approle/login'), 1);
    assert.equal((await broker.ready()).status, 200);
    await broker.stop();
    await site.vault.request('POST', role, { token_period: '1h' });
  });

  it('its log-in: made anew when it cannot be renewed in time', async () => {
    const role = 'auth/signet-approle/role/broker';
    await site.vault.request('POST', role, { token_period: '2s' });
    const broker = await site.startBroker({ VAULT_ADDR: proxy.address });
    const logins = () => proxy.calls.filter(({ path }) => path === 'auth/signet-approle/login').length;
    const before = logins();
    proxy.fate = ({ path }) => (path === 'auth/token/renew-self' ? 'lose' : 'pass');
    await until(() => logins() > before);
    proxy.fate = () => 'pass';
    await until(async () => (await broker.ready()).status === 200);
    await broker.stop();
    await site.vault.request('POST', role, { token_period: '1h' });
  });

  it('its certificate: a new one for a new key at half of its life, and no request is lost', async () => {
    const role = (await site.vault.request('GET', 'signet-pki/roles/broker')).body.data;
    await site.vault.request('POST', 'signet-pki/roles/broker', { ...role, ttl: '4s', max_ttl: '4s' });
    const broker = await site.startBroker();
    using open = await broker.connect();
    const keys = new Set<string>();
    const end = performance.now() + 7_000;
    while (performance.now() < end) {
      assert.equal((await open.send('GET', '/healthz')).status, 200);
      using client = await broker.connect({ inspect: () => {} });
      const certificate = client.socket.getPeerX509Certificate();
      assert.ok(client.socket.authorized && new Date(certificate?.validTo ?? 0).getTime() > Date.now());
      keys.add(String(certificate?.publicKey.export({ type: 'spki', format: 'pem' })));
      await wait(50);
    }
    assert.ok(keys.size >= 3, `${keys.size} keys in 7 s`);
    await broker.stop();
    await site.vault.request('POST', 'signet-pki/roles/broker', role);
  });

  describe('a join code that Vault unwrapped, when the grant then fails', () => {
    let broker: TestBroker;
    const show = async (code: string) => {
      using client = await broker.connect();
      return await client.attest('join', () => ({ code }));
    };
    before(async () => {
      broker = await site.startBroker({ VAULT_ADDR: proxy.address });
      await broker.call('POST', '/v1/entries', joinEntry('joined'), site.registrar.shop);
    });
    const newCode = async () =>
      (await broker.call('POST', '/v1/entries/acme.shop/joined/join-code', {}, site.registrar.shop)).body
        .code;
    const lostAt = async (lost: string) => {
      const code = await newCode();
      proxy.fate = ({ method, path }) => (`${method} ${path}`.startsWith(lost) ? 'lose' : 'pass');
      assert.equal((await show(code)).status, 503);
      proxy.fate = () => 'pass';
      return code;
    };

    it('may be shown again to this broker, without an alarm', async () => {
      for (const lost of ['POST signet/data/instances/', 'POST auth/token/create/']) {
        const code = await lostAt(lost);
        const reply = await show(code);
        assert.deepEqual(
          [reply.status, reply.body.instance?.generation],
          [201, 1],
          JSON.stringify(reply.body),
        );
      }
      assert.equal(await broker.metric('signet_broker_join_code_alarms_total'), 0);
    });
    it('gives one grant all the same', async () => {
      const code = await lostAt('POST auth/token/create/');
      const replies = await Promise.all([show(code), show(code), show(code)]);
      assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 403, 403]);
    });
    it('is not spent when the line breaks before it is unwrapped', async () => {
      const code = await lostAt('POST sys/wrapping/lookup');
      assert.equal((await show(code)).status, 201);
    });
  });

  it('a long list of entries is read at the start', async () => {
    const names = Array.from({ length: 150 }, (_, i) => `bulk-${i}`);
    for (const name of names) {
      const entry = {
        ...hostEntry(name, { 'ssh-host:key': `SHA256:${name}` }),
        networks: [],
        federates_with: [],
        state: 'active',
      };
      await site.vault.request('POST', `signet/data/entries/acme.shop/${name}`, {
        data: entry,
        options: { cas: 0 },
      });
    }
    const broker = await site.startBroker();
    assert.ok((await broker.metric('signet_broker_entries{state="active"}')) >= 150);
    await broker.stop();
  });

  it('its line to a Vault behind TLS, by the authorities that it was given and no others', async () => {
    await using secure = await openSite({ tls: true });
    const broker = await secure.startBroker();
    assert.equal((await broker.ready()).status, 200);
    const blind = await secure.launchBroker({ VAULT_CACERT: '' });
    const failed = await blind.waitForEvent('vault_login_failed');
    assert.match(JSON.stringify(failed), /DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED|UNABLE_TO_VERIFY/);
  });
});
