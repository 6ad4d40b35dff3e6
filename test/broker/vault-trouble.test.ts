import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { startVaultProxy, type VaultProxy } from '../fakes/vault-proxy.ts';
import type { Reply } from '../support/attest-client.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { brokerOf, hostEntry, openSite, type Site, type TestBroker, until } from './site.ts';

describe('a broker whose Vault', function () {
  this.timeout(60_000);
  let site: Site;
  let ssh: SshKeygen;
  let key: SshKey;
  before(async () => {
    site = await openSite({ storage: 'raft' });
    ssh = await sshKeygen();
    key = await ssh.newKey('host');
    const broker = await site.startBroker();
    await broker.call(
      'POST',
      '/v1/entries',
      hostEntry('host', { 'ssh-host:key': key.fingerprint }),
      site.registrar.shop,
    );
    await broker.stop();
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const show = async (broker: TestBroker): Promise<Reply> => {
    using client = await broker.connect();
    return await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
  };
  const gives = async (broker: TestBroker) => (await show(broker).catch(() => undefined))?.status === 201;
  const expectUnavailable = (reply: Reply) => {
    assert.deepEqual([reply.status, reply.body.code], [503, 'vault_unavailable'], JSON.stringify(reply.body));
    assert.equal(reply.headers['retry-after'], '1');
  };

  it('is down at the start: starts, says that it is not ready, and is as soon as Vault is there', async () => {
    await site.vault.kill();
    const process = await site.launchBroker();
    const admin = await process.addressOf('admin');
    const ready = async () => (await fetch(`http://${admin}/readyz`)).status;
    assert.equal(await ready(), 503);
    assert.equal((await fetch(`http://${admin}/healthz`)).status, 200);
    await process.waitForEvent('vault_login_failed');
    await site.vault.restart();
    await until(async () => (await ready()) === 200, 20_000);
    const broker = await brokerOf(process, site.ca);
    assert.equal(await gives(broker), true);
    await process.stop();
  });

  it('is sealed: refuses for now, is not ready, and goes on when it is unsealed', async () => {
    const broker = await site.startBroker();
    await site.vault.seal();
    expectUnavailable(await show(broker));
    const { status, waiting } = await broker.ready();
    assert.deepEqual([status, waiting[0]], [503, 'vault (VAULT_SEALED)']);
    await site.vault.unseal();
    await until(() => gives(broker));
    await until(async () => (await broker.ready()).status === 200);
    await broker.stop();
  });

  it('is restarted: goes on, on its old log-in', async () => {
    const broker = await site.startBroker();
    assert.equal(await gives(broker), true);
    await site.vault.restart();
    await until(() => gives(broker));
    await broker.stop();
  });

  it('no longer knows its token: logs in again within the same request', async () => {
    const broker = await site.startBroker();
    const accessors = (await site.vault.request('LIST', 'auth/token/accessors')).body.data.keys;
    for (const accessor of accessors) {
      const found = await site.vault.request('POST', 'auth/token/lookup-accessor', { accessor });
      if (found.body?.data?.path !== 'auth/signet-approle/login') continue;
      await site.vault.request('POST', 'auth/token/revoke-accessor', { accessor });
    }
    assert.equal((await show(broker)).status, 201);
    await broker.stop();
  });

  it('refuses its secret id: is not ready, does not hammer, and goes on with a new one in the file', async () => {
    await using proxy = await startVaultProxy(site.vault.address);
    const file = join(site.dir, 'secret-id-to-be');
    await writeFile(file, 'wrong');
    const process = await site.launchBroker({ VAULT_ADDR: proxy.address, SIGNET_VAULT_SECRET_ID_FILE: file });
    await process.waitForEvent('vault_login_failed', ({ attempt }) => attempt === 3);
    const tries = proxy.calls.filter(({ path }) => path === 'auth/signet-approle/login').length;
    assert.ok(tries <= 6, `${tries} log-ins for 3 attempts`);
    const made = await site.vault.request('POST', 'auth/signet-approle/role/broker/secret-id', {});
    await writeFile(file, made.body.data.secret_id);
    const broker = await brokerOf(process, site.ca);
    await until(() => gives(broker), 20_000);
    assert.doesNotMatch(process.stderr(), new RegExp(made.body.data.secret_id));
    await process.stop();
  });

  it('is well is called twice for a grant', async () => {
    await using proxy = await startVaultProxy(site.vault.address);
    const broker = await site.startBroker({ VAULT_ADDR: proxy.address });
    assert.equal(await gives(broker), true);
    const before = proxy.calls.length;
    using client = await broker.connect({ inspect: () => {} });
    const signatures = [];
    for (let i = 0; i < 5; i++)
      signatures.push(
        await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) })),
      );
    const calls = proxy.calls.slice(before).map(({ method, path }) => `${method} ${path}`);
    const grants = calls.filter((call) => call === 'POST auth/token/create/signet-acme.shop_host').length;
    const revisions = calls.filter((call) => call === 'GET signet/data/revision').length;
    assert.equal(grants, 5);
    // The broker looks at the revision on its own account, too, every few seconds.
    assert.ok(revisions >= 5 && revisions <= 7, `${revisions} reads of the revision`);
    assert.equal(calls.length, grants + revisions, calls.join('\n'));
    await broker.stop();
  });

  describe('is on a bad line', () => {
    let proxy: VaultProxy;
    let broker: TestBroker;
    before(async () => {
      proxy = await startVaultProxy(site.vault.address);
      broker = await site.startBroker({
        VAULT_ADDR: proxy.address,
        SIGNET_VAULT_TIMEOUT: '500ms',
        SIGNET_RELOAD: '2s',
      });
    });
    after(async () => {
      await broker?.stop();
      await proxy?.[Symbol.asyncDispose]();
    });

    it('slow: refuses for now instead of waiting for ever, and goes on when it is quick again', async () => {
      proxy.delayMs = 1_500;
      const began = performance.now();
      expectUnavailable(await show(broker));
      assert.ok(performance.now() - began < 4_000);
      proxy.delayMs = 0;
      await until(() => gives(broker));
    });
    it('loses a connection: asks again on another', async () => {
      let lost = 0;
      proxy.fate = ({ path }) => (path.startsWith('auth/token/create/') && lost++ === 0 ? 'lose' : 'pass');
      assert.equal((await show(broker)).status, 201);
      assert.equal(lost, 2);
      proxy.fate = () => 'pass';
    });
    it('answers for the revision with what is none: reads all anew', async () => {
      const path = 'signet/data/revision';
      const good = (await site.vault.request('GET', path)).body.data;
      await site.vault.request('POST', path, {
        data: { revision: 'many' },
        options: { cas: good.metadata.version },
      });
      assert.equal(await gives(broker), true);
      await site.vault.request('POST', path, {
        data: good.data,
        options: { cas: good.metadata.version + 1 },
      });
      assert.equal(await gives(broker), true);
    });
    it('lets it know of a write past the broker at once if the revision was raised, and at its next reload if not', async () => {
      const seen = async () => (await show(broker)).body.code;
      const document = (await site.vault.request('GET', 'signet/data/entries/acme.shop/host')).body.data;
      const write = (state: string, cas: number) =>
        site.vault.request('POST', 'signet/data/entries/acme.shop/host', {
          data: { ...document.data, state },
          options: { cas },
        });
      await write('disabled', document.metadata.version);
      await until(async () => (await seen()) === 'entry_disabled', 10_000);
      await write('active', document.metadata.version + 1);
      const revision = (await site.vault.request('GET', 'signet/data/revision')).body.data;
      await site.vault.request('POST', 'signet/data/revision', {
        data: { revision: revision.data.revision + 1 },
        options: { cas: revision.metadata.version },
      });
      // on a bad line one answer may be that Vault is not there
      await until(async () => (await show(broker)).status === 201, 1_500);
    });
  });
});

describe('a broker that is killed', () => {
  it('leaves nothing that the next one, or another beside it, would need', async () => {
    await using site = await openSite();
    await using ssh = await sshKeygen();
    const key = await ssh.newKey('host');
    const [first, second] = await Promise.all([site.startBroker(), site.startBroker()]);
    const show = async (broker: TestBroker) => {
      using client = await broker.connect();
      return (await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) })))
        .status;
    };
    await first.call(
      'POST',
      '/v1/entries',
      hostEntry('host', { 'ssh-host:key': key.fingerprint }),
      site.registrar.shop,
    );
    assert.equal(await show(second), 201);
    await first.kill();
    assert.equal(await show(second), 201);
    const third = await site.startBroker({ SIGNET_LISTEN: first.address });
    assert.equal(await show(third), 201);
  });
});
