import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker } from './site.ts';

describe('a grant that was stolen', () => {
  let site: Site;
  let broker: TestBroker;
  let ssh: SshKeygen;
  let key: SshKey;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    ssh = await sshKeygen();
    key = await ssh.newKey('host');
    await broker.call(
      'POST',
      '/v1/entries',
      hostEntry('host', { 'ssh-host:key': key.fingerprint }),
      site.registrar.shop,
    );
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const grant = async () => {
    using client = await broker.connect();
    const reply = await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return { correlation_id: reply.body.correlation_id, wrapping_token: reply.body.grant.wrapping_token };
  };
  const unwrap = async (token: string) => {
    const opened = await site.vault.request('POST', 'sys/wrapping/unwrap', {}, { token });
    return opened.body.auth.client_token as string;
  };
  const alarms = () => broker.metric('signet_broker_theft_alarms_total');

  it('is taken back from the thief when its owner says so, once, with an alarm', async () => {
    const stolen = await grant();
    const inner = await unwrap(stolen.wrapping_token);
    const before = await alarms();
    assert.equal((await broker.call('POST', '/v1/alarms', stolen)).status, 202);
    assert.equal(await alarms(), before + 1);
    const line = await broker.waitForEvent('theft_alarm');
    assert.deepEqual(
      [line['level'], line['spiffe_id'], line['correlation_id']],
      ['alarm', 'spiffe://example.org/ns/shop/sa/host', stolen.correlation_id],
    );
    const used = await site.vault.request('GET', 'auth/token/lookup-self', undefined, { token: inner });
    assert.equal(used.status, 403, 'the token inside is revoked');
    assert.equal((await broker.call('POST', '/v1/alarms', stolen)).status, 404);
    assert.equal(await alarms(), before + 1);
  });

  describe('cannot be claimed by', () => {
    const refused = async (body: object) => {
      const before = await alarms();
      const reply = await broker.call('POST', '/v1/alarms', body);
      assert.deepEqual([reply.status, reply.body.code], [404, 'unknown_grant']);
      assert.equal(await alarms(), before);
    };
    it('who does not have it', async () => {
      const { correlation_id, wrapping_token } = await grant();
      await refused({ correlation_id, wrapping_token: 'hvs.guess' });
      assert.notEqual(await unwrap(wrapping_token), undefined);
    });
    it('who has another', async () => {
      const [one, other] = [await grant(), await grant()];
      await refused({ correlation_id: one.correlation_id, wrapping_token: other.wrapping_token });
    });
    it('who made it up', () => refused({ correlation_id: crypto.randomUUID(), wrapping_token: 'hvs.x' }));
  });

  it('is not held by the broker itself: only wrapped, and only of the entry asked for', async () => {
    const token = await site.tokenOf('signet-broker');
    const alias = { entity_alias: 'ns/shop/sa/host', num_uses: '1' };
    const path = 'auth/token/create/signet-acme.shop_host';
    assert.equal((await site.vault.request('POST', path, alias, { token })).status, 403);
    assert.equal((await site.vault.request('POST', path, alias, { token, wrapTtl: '60s' })).status, 200);
    const other = { entity_alias: 'ns/shop/sa/admin', num_uses: '1' };
    assert.equal((await site.vault.request('POST', path, other, { token, wrapTtl: '60s' })).status, 400);
  });
});
