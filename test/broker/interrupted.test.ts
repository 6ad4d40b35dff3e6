import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Fate, startVaultProxy, type VaultProxy } from '../fakes/vault-proxy.ts';
import type { Reply } from '../support/attest-client.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker } from './site.ts';

/**
 * The line to Vault breaks at every single call of a registration, for good, before the call or before its answer: as if the broker had
 * been killed there. What is left behind is looked at through another broker.
 */
describe('a registration that is cut off', function () {
  this.timeout(60_000);
  let site: Site;
  let proxy: VaultProxy;
  let cut: TestBroker;
  let whole: TestBroker;
  let ssh: SshKeygen;
  before(async () => {
    site = await openSite();
    proxy = await startVaultProxy(site.vault.address);
    [cut, whole] = await Promise.all([site.startBroker({ VAULT_ADDR: proxy.address }), site.startBroker()]);
    ssh = await sshKeygen();
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const token = () => site.registrar.shop;
  const path = (name: string, verb = '') => `/v1/entries/acme.shop/${name}${verb}`;
  const entryOf = (name: string, key: SshKey) => hostEntry(name, { 'ssh-host:key': key.fingerprint });
  const create = (broker: TestBroker, name: string, key: SshKey) =>
    broker.call('POST', '/v1/entries', entryOf(name, key), token());
  const show = async (key: SshKey): Promise<Reply> => {
    using client = await whole.connect();
    return await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
  };
  const roleOf = async (name: string) =>
    (await site.vault.request('GET', `auth/token/roles/signet-acme.shop_${name}`)).status === 200;
  /** The caller's calls of one registration, and what became of each. */
  const cutting = async (
    at: number,
    fate: Fate,
    work: () => Promise<Reply>,
  ): Promise<{ reply: Reply; calls: number }> => {
    let calls = 0;
    proxy.fate = (call) => {
      if (call.token !== token()) return 'pass';
      calls++;
      if (calls < at) return 'pass';
      return calls === at ? fate : 'lose';
    };
    const reply = await work();
    proxy.fate = () => 'pass';
    return { reply, calls };
  };
  /** Runs `scene` with the line cut at the first call, at the second, and so on, until it is never cut. */
  const atEveryCall = async (
    work: (name: string, key: SshKey) => Promise<Reply>,
    scene: {
      readonly label: string;
      prepare?: (name: string, key: SshKey) => Promise<unknown>;
      look: (cutAt: { name: string; key: SshKey; reply: Reply }) => Promise<void>;
    },
  ): Promise<number> => {
    for (let at = 1; at < 30; at++) {
      for (const fate of ['lose', 'lose-answer'] as const) {
        const name = `${scene.label}-${at}-${fate}`;
        const key = await ssh.newKey(name);
        await scene.prepare?.(name, key);
        const { reply, calls } = await cutting(at, fate, () => work(name, key));
        if (calls < at) return at - 1;
        assert.deepEqual(
          [reply.status, reply.body?.code],
          [503, 'vault_unavailable'],
          `${name}: ${JSON.stringify(reply.body)}`,
        );
        await scene.look({ name, key, reply });
      }
    }
    throw new Error('a registration of over 30 calls');
  };

  it('when created, gives nothing half, and the same call again completes it', async () => {
    const steps = await atEveryCall((name, key) => create(cut, name, key), {
      label: 'made',
      async look({ name, key }) {
        const first = await show(key);
        const { status, body } = await whole.call('GET', path(name), undefined, token());
        const active = status === 200 && body.state === 'active';
        // An active entry has its role; one that is not active gives nothing.
        assert.ok(!active || (await roleOf(name)), name);
        assert.ok(first.status !== 201 || active, `${name}: ${JSON.stringify(first.body)}`);
        const again = await create(whole, name, key);
        assert.ok(again.status === 201 || again.status === 200, `${name}: ${JSON.stringify(again.body)}`);
        assert.equal((await show(key)).status, 201, name);
      },
    });
    assert.ok(steps >= 5, `${steps} calls`);
  });

  it('when disabled, is refused from the moment its role is gone, and the same call again completes it', async () => {
    await atEveryCall((name) => cut.call('POST', path(name, '/disable'), {}, token()), {
      label: 'off',
      prepare: (name, key) => create(whole, name, key),
      async look({ name, key }) {
        if (!(await roleOf(name))) assert.equal((await show(key)).status, 403, name);
        assert.equal((await whole.call('POST', path(name, '/disable'), {}, token())).status, 200, name);
        assert.equal((await show(key)).body.code, 'entry_disabled', name);
        assert.equal(await roleOf(name), false, name);
      },
    });
  });

  it('when enabled, is not active without its role, and the same call again completes it', async () => {
    await atEveryCall((name) => cut.call('POST', path(name, '/enable'), {}, token()), {
      label: 'on',
      async prepare(name, key) {
        await create(whole, name, key);
        await whole.call('POST', path(name, '/disable'), {}, token());
      },
      async look({ name, key }) {
        const { body } = await whole.call('GET', path(name), undefined, token());
        assert.ok(body.state !== 'active' || (await roleOf(name)), name);
        assert.equal((await whole.call('POST', path(name, '/enable'), {}, token())).status, 200, name);
        assert.equal((await show(key)).status, 201, name);
      },
    });
  });

  it('when deleted, is refused from the moment its role is gone, and the same call again completes it', async () => {
    await atEveryCall((name) => cut.call('DELETE', path(name), undefined, token()), {
      label: 'gone',
      prepare: (name, key) => create(whole, name, key),
      async look({ name, key }) {
        if (!(await roleOf(name))) assert.equal((await show(key)).status, 403, name);
        const again = await whole.call('DELETE', path(name), undefined, token());
        assert.ok(again.status === 204 || again.status === 404, `${name}: ${again.status}`);
        assert.equal((await show(key)).body.code, 'no_entry', name);
        assert.equal(await roleOf(name), false, name);
        assert.equal(
          (await site.vault.request('GET', `signet/metadata/entries/acme.shop/${name}`)).status,
          404,
          name,
        );
      },
    });
  });
});
