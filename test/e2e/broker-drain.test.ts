import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { hostEntry, openSite, type Site, until } from '../broker/site.ts';
import { startVaultProxy } from '../fakes/vault-proxy.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';

describe('a broker that is told to end', function () {
  this.timeout(60_000);
  let site: Site;
  let ssh: SshKeygen;
  let key: SshKey;
  before(async () => {
    site = await openSite();
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
  const sign = async (proof: Buffer) => ({ signature: await key.sign(proof) });

  it('under load answers every request that it took, and ends with 0', async () => {
    const broker = await site.startBroker({ SIGNET_RATE_SOURCE: '100000', SIGNET_RATE_IDENTITY: '100000' });
    const outcomes: string[] = [];
    let stopping = false;
    const worker = async () => {
      while (true) {
        // What is refused at the door was not taken. Whoever is inside has to be served to the end.
        const client = await broker.connect().catch(() => undefined);
        if (client === undefined) return;
        try {
          const reply = await client.attest('ssh-host', sign);
          outcomes.push(String(reply.status));
          if (stopping) return;
        } catch (error) {
          outcomes.push(`lost: ${(error as Error).message}`);
          return;
        } finally {
          client[Symbol.dispose]();
        }
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    await until(() => outcomes.length >= 40);
    stopping = true;
    broker.send('SIGTERM');
    await Promise.all(workers);
    const { code } = await broker.ended;
    assert.equal(code, 0);
    assert.deepEqual([...new Set(outcomes)], ['201'], outcomes.join(' '));
  });

  it('gives the attestation for which a challenge was given before', async () => {
    const broker = await site.startBroker();
    using client = await broker.connect();
    const challenge = await client.challenge();
    broker.send('SIGTERM');
    await broker.waitForEvent('draining');
    const reply = await client.send('POST', '/v1/attest', {
      method: 'ssh-host',
      challenge,
      evidence: await sign(client.proof(challenge)),
    });
    assert.deepEqual([reply.status, reply.headers.connection], [201, 'close']);
    assert.equal((await broker.ended).code, 0);
  });

  it('waits for an answer that takes long, says on its other listener that it is ending, and takes no new connection', async () => {
    await using proxy = await startVaultProxy(site.vault.address);
    const broker = await site.startBroker({ VAULT_ADDR: proxy.address });
    using client = await broker.connect();
    proxy.delayMs = 1_500;
    const slow = client.attest('ssh-host', sign);
    await until(() => proxy.calls.at(-1)?.path === 'signet/data/revision');
    broker.send('SIGTERM');
    await broker.waitForEvent('draining');
    assert.deepEqual(await broker.ready().then(({ status, waiting }) => [status, waiting[0]]), [
      503,
      'its end',
    ]);
    await assert.rejects(broker.connect());
    assert.equal((await slow).status, 201);
    assert.equal((await broker.ended).code, 0);
  });

  it('does not wait for ever', async () => {
    await using proxy = await startVaultProxy(site.vault.address);
    const broker = await site.startBroker({ VAULT_ADDR: proxy.address, SIGNET_DRAIN_TIMEOUT: '500ms' });
    using client = await broker.connect();
    proxy.delayMs = 4_000;
    const lost = assert.rejects(client.attest('ssh-host', sign));
    await until(() => proxy.calls.at(-1)?.path === 'signet/data/revision');
    const began = performance.now();
    broker.send('SIGTERM');
    assert.equal((await broker.ended).code, 0);
    assert.ok(performance.now() - began < 8_000);
    await lost;
  });

  it('gives its own token back to Vault, and the grants that it gave live on', async () => {
    const loggedIn = async () => {
      const accessors = (await site.vault.request('LIST', 'auth/token/accessors')).body.data.keys;
      const found = await Promise.all(
        accessors.map((accessor: string) =>
          site.vault.request('POST', 'auth/token/lookup-accessor', { accessor }),
        ),
      );
      return found.filter(({ body }) => body?.data?.path === 'auth/signet-approle/login').length;
    };
    const before = await loggedIn();
    const broker = await site.startBroker();
    assert.equal(await loggedIn(), before + 1);
    const client = await broker.connect();
    const reply = await client.attest('ssh-host', sign);
    client[Symbol.dispose]();
    await broker.stop();
    assert.equal(await loggedIn(), before);
    const { wrapping_token } = reply.body.grant;
    const opened = await site.vault.request('POST', 'sys/wrapping/unwrap', {}, { token: wrapping_token });
    assert.equal(opened.status, 200);
  });

  it('in a place that is taken says so and ends with 1', async () => {
    const first = await site.startBroker();
    const second = await site.launchBroker({ SIGNET_LISTEN: first.address });
    assert.equal((await second.ended).code, 1);
    assert.match(second.stderr(), /"event":"failed".*EADDRINUSE/);
    await first.stop();
  });
});
