import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Reply, spendGrant, svidKey } from '../support/attest-client.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, joinEntry, openSite, type Site, type TestBroker } from './site.ts';

const PAST = '2020-01-01T00:00:00Z';
const LATER = '2099-01-01T00:00:00Z';

describe('an entry whose machine must appear by a time', () => {
  let site: Site;
  let broker: TestBroker;
  let second: TestBroker;
  let ssh: SshKeygen;
  before(async () => {
    site = await openSite();
    [broker, second] = await Promise.all([site.startBroker(), site.startBroker()]);
    ssh = await sshKeygen();
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const call = (method: string, path: string, body?: unknown) =>
    broker.call(method, `/v1/entries${path}`, body, site.registrar.shop);
  const expect = (reply: Reply, status: number, code?: string) =>
    assert.deepEqual([reply.status, reply.body?.code], [status, code], JSON.stringify(reply.body));
  const create = async (entry: object) => expect(await call('POST', '', entry), 201);
  const put = async (name: string, entry: object) =>
    expect(await call('PUT', `/acme.shop/${name}`, entry), 200);
  const appeared = async (name: string) => (await call('GET', `/acme.shop/${name}`)).body.appeared_at;
  const codeFor = async (name: string) => (await call('POST', `/acme.shop/${name}/join-code`, {})).body.code;
  const join = async (code: string, next = svidKey(), at = broker) => {
    using client = await at.connect();
    return await client.attest('join', () => ({ code, next_key: next.hash }));
  };
  const show = async (key: SshKey, at = broker) => {
    using client = await at.connect();
    return await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
  };

  it('gives nothing once the time has passed, at any broker, and says so to whoever may ask', async () => {
    const key = await ssh.newKey('late');
    await create(hostEntry('late', { 'ssh-host:key': key.fingerprint }, { appear_by: PAST }));
    assert.equal(await appeared('late'), null);
    const refused = await show(key);
    expect(refused, 403, 'entry_overdue');
    expect(await show(key, second), 403, 'entry_overdue');
    assert.equal(await appeared('late'), null);
    const why = await broker.call(
      ...([
        'GET',
        `/v1/explanations/${refused.body.correlation_id}`,
        undefined,
        await site.tokenOf('signet-viewer'),
      ] as const),
    );
    assert.deepEqual([why.body.outcome, why.body.entry], ['entry_overdue', 'acme/shop/late']);
    assert.match(why.body.reason, /2020-01-01T00:00:00Z/);
  });
  it('gives again what was in time, whatever the time is then', async () => {
    const key = await ssh.newKey('timely');
    const match = { 'ssh-host:key': key.fingerprint };
    await create(hostEntry('timely', match, { appear_by: LATER }));
    expect(await show(key), 201);
    const at = await appeared('timely');
    assert.ok(Math.abs(Date.now() - new Date(at).getTime()) < 600_000, at);
    await put('timely', hostEntry('timely', match, { appear_by: PAST, ttl: '1h' }));
    for (const each of [broker, second]) expect(await show(key, each), 201);
    assert.equal(await appeared('timely'), at);
  });
  it('appears once, though it first shows up at two brokers at once', async () => {
    for (let round = 0; round < 4; round++) {
      const name = `twin-${round}`;
      const key = await ssh.newKey(name);
      await create(hostEntry(name, { 'ssh-host:key': key.fingerprint }, { appear_by: LATER }));
      const replies = await Promise.all([broker, second, broker, second].map((each) => show(key, each)));
      for (const reply of replies) expect(reply, 201);
      const record = await site.vault.request('GET', `signet/data/instances/appeared/acme/shop/${name}`);
      const { data, metadata } = record.body.data;
      assert.equal(metadata.version, 1);
      assert.ok(replies.some(({ body }) => body.correlation_id === data.correlation_id));
    }
  });
  it('is taken up by a later time; a join code that came too late is not spent', async () => {
    await create(joinEntry('again', { appear_by: PAST }));
    const code = await codeFor('again');
    expect(await join(code), 403, 'entry_overdue');
    await put('again', joinEntry('again', { appear_by: LATER }));
    expect(await join(code), 201);
    assert.equal(await broker.metric('signet_broker_join_code_alarms_total'), 0);
  });
  it('made anew under the same name waits anew, as every broker knows', async () => {
    await create(joinEntry('reborn', { appear_by: LATER }));
    for (const at of [broker, second]) expect(await join(await codeFor('reborn'), svidKey(), at), 201);
    expect(await call('DELETE', '/acme.shop/reborn'), 204);
    await create(joinEntry('reborn', { appear_by: PAST }));
    assert.equal(await appeared('reborn'), null);
    for (const at of [broker, second])
      expect(await join(await codeFor('reborn'), svidKey(), at), 403, 'entry_overdue');
  });
  it('changed to another key waits for that one', async () => {
    const [old, fresh] = [await ssh.newKey('old'), await ssh.newKey('fresh')];
    await create(hostEntry('swap', { 'ssh-host:key': old.fingerprint }, { appear_by: LATER }));
    expect(await show(old), 201);
    await put('swap', hostEntry('swap', { 'ssh-host:key': fresh.fingerprint }, { appear_by: PAST }));
    assert.equal(await appeared('swap'), null);
    expect(await show(fresh), 403, 'entry_overdue');
  });
  it('that gets its time while its workload runs has appeared with the next renewal', async () => {
    await create(joinEntry('running'));
    const key = svidKey();
    const reply = await join(await codeFor('running'), key);
    const svid = await spendGrant(site.vault.request, reply.body, key);
    await put('running', joinEntry('running', { appear_by: PAST }));
    using client = await broker.connect({ shown: svid });
    const evidence = { instance_id: reply.body.instance.id, generation: 1, next_key: svidKey().hash };
    expect(await client.attest('svid', () => evidence), 201);
    assert.notEqual(await appeared('running'), null);
  });
  it('is refused while what Vault says of it cannot be read', async () => {
    const key = await ssh.newKey('odd');
    await create(hostEntry('odd', { 'ssh-host:key': key.fingerprint }, { appear_by: LATER }));
    await site.vault.request('POST', 'signet/data/instances/appeared/acme/shop/odd', {
      data: { of: 7 },
      options: { cas: 0 },
    });
    expect(await show(key), 503, 'vault_unavailable');
    expect(await call('DELETE', '/acme.shop/odd'), 204);
    await create(hostEntry('odd', { 'ssh-host:key': key.fingerprint }, { appear_by: LATER }));
    expect(await show(key), 201);
  });
  it('has a time in UTC that is one', async () => {
    for (const appear_by of ['2026-02-30T00:00:00Z', '2026-12-24', '2026-12-24T18:00:00+01:00', 'soon', 7]) {
      const reply = await call('POST', '', hostEntry('bad', { 'ssh-host:key': 'SHA256:x' }, { appear_by }));
      expect(reply, 400, 'malformed');
      assert.equal(reply.body.errors[0].pointer, '/appear_by');
    }
  });
});
