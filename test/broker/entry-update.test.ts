import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Reply, spendGrant, svidKey } from '../support/attest-client.ts';
import { hostEntry, joinEntry, openSite, type Site, type TestBroker } from './site.ts';

describe('changing an entry in place', () => {
  let site: Site;
  let broker: TestBroker;
  let second: TestBroker;
  before(async () => {
    site = await openSite();
    [broker, second] = await Promise.all([site.startBroker(), site.startBroker()]);
  });
  after(() => site?.[Symbol.asyncDispose]());

  let count = 0;
  const key = () => `SHA256:key${count++}`;
  const create = async (entry: object) => {
    const reply = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return reply.body;
  };
  const at = (name: string) => `/v1/entries/acme.shop/${name}`;
  const put = (name: string, entry: object, token = site.registrar.shop, to = broker) =>
    to.call('PUT', at(name), entry, token);
  const show = async (name: string) =>
    (await broker.call('GET', at(name), undefined, site.registrar.shop)).body;
  const role = async (name: string) => {
    const reply = await site.vault.request('GET', `auth/token/roles/signet-acme.shop_${name}`);
    return reply.status === 404 ? undefined : reply.body.data;
  };
  const expect = (reply: Reply, status: number, code?: string) =>
    assert.deepEqual([reply.status, reply.body?.code], [status, code], JSON.stringify(reply.body));
  /** What the token role says of an entry, as the document should. */
  const expectRole = async (name: string) => {
    const [entry, found] = [await show(name), await role(name)];
    assert.deepEqual(found.allowed_entity_aliases, [entry.spiffe_id.slice('spiffe://example.org/'.length)]);
    assert.deepEqual(found.allowed_policies, [`signet-workload-${entry.ttl}`]);
    assert.deepEqual(found.token_bound_cidrs ?? [], entry.networks);
  };

  it('changes document and token role, and every broker knows at once', async () => {
    const made = await create(hostEntry('plain', { 'ssh-host:key': key() }, { networks: ['10.0.0.0/8'] }));
    const wanted = {
      match: { 'ssh-host:key': key() },
      spiffe_id: 'spiffe://example.org/ns/shop/sa/plain-2',
      ttl: '1h',
      networks: ['10.1.0.0/16'],
      federates_with: ['example.com'],
    };
    const changed = await put('plain', wanted);
    expect(changed, 200);
    assert.deepEqual(changed.body, { ...made, ...wanted });
    assert.deepEqual(await show('plain'), changed.body);
    await expectRole('plain');
    const other = await second.call('GET', at('plain'), undefined, site.registrar.shop);
    assert.deepEqual(other.body, changed.body);
  });
  it('is of the whole entry: what is left out is gone, networks among it', async () => {
    const match = { 'ssh-host:key': key() };
    await create(hostEntry('whole', match, { networks: ['10.0.0.0/8'], federates_with: ['example.com'] }));
    expect(await put('whole', hostEntry('whole', match)), 200);
    const { networks, federates_with } = await show('whole');
    assert.deepEqual([networks, federates_with], [[], []]);
    await expectRole('whole');
  });
  it('to what it was already changes nothing and puts back a role that was lost', async () => {
    const entry = hostEntry('same', { 'ssh-host:key': key() });
    await create(entry);
    await site.vault.request('DELETE', 'auth/token/roles/signet-acme.shop_same');
    expect(await put('same', entry), 200);
    await expectRole('same');
  });
  it('is told in the log, an ID that changed with both IDs', async () => {
    await create(hostEntry('told', { 'ssh-host:key': key() }));
    const spiffe_id = 'spiffe://example.org/ns/shop/sa/told-2';
    const match = { 'ssh-host:key': key() };
    expect(await put('told', hostEntry('told', match, { spiffe_id })), 200);
    const event = await broker.waitForEvent('entry_updated', ({ entry }) => entry === 'acme/shop/told');
    assert.deepEqual(
      [event['changed'], event['spiffe_id_before'], event['spiffe_id']],
      [['match', 'spiffe_id'], 'spiffe://example.org/ns/shop/sa/told', spiffe_id],
    );
  });
  it('keeps a disabled one disabled, without a role, until it is enabled', async () => {
    const match = { 'ssh-host:key': key() };
    await create(hostEntry('off', match));
    await broker.call('POST', `${at('off')}/disable`, {}, site.registrar.shop);
    const changed = await put('off', hostEntry('off', match, { ttl: '1h' }));
    expect(changed, 200);
    assert.deepEqual([changed.body.state, changed.body.ttl], ['disabled', '1h']);
    assert.equal(await role('off'), undefined);
    expect(await broker.call('POST', `${at('off')}/enable`, {}, site.registrar.shop), 200);
    await expectRole('off');
  });

  describe('is refused', () => {
    it('where there is none', async () => {
      expect(await put('none', hostEntry('none', { 'ssh-host:key': key() })), 404, 'entry_not_found');
      expect(await put('NONE', hostEntry('none', { 'ssh-host:key': key() })), 404, 'entry_not_found');
      assert.equal(await role('none'), undefined);
    });
    it('where it was never completed', async () => {
      const entry = hostEntry('half', { 'ssh-host:key': key() }, { networks: [], federates_with: [] });
      const data = { ...entry, state: 'pending' };
      await site.vault.request('POST', 'signet/data/entries/acme.shop/half', { data, options: { cas: 0 } });
      expect(await put('half', entry), 409, 'entry_state');
    });
    it('as creating is: a lifetime, a host certificate of anybody, a name that is not the one in the path', async () => {
      const entry = hostEntry('strict', { 'ssh-host:key': key() });
      const made = await create(entry);
      for (const [change, pointer] of [
        [{ ttl: '900' }, '/ttl'],
        [{ match: { 'ssh-host:principal': 'vm' } }, '/match'],
        [{ name: 'other' }, '/name'],
        [{ tenant: 'globex' }, '/tenant'],
        [{ state: 'active' }, '/state'],
        [{ spiffe_id: undefined }, ''],
      ] as const) {
        const reply = await put('strict', { ...entry, ...change });
        expect(reply, 400, 'malformed');
        assert.equal(reply.body.errors[0].pointer, pointer);
      }
      assert.deepEqual(await show('strict'), made);
    });
    it("with another tenant's token, with the broker's, with a viewer's, and changes nothing", async () => {
      const match = { 'ssh-host:key': key() };
      const made = await create(hostEntry('mine', match));
      const others = [site.registrar.globex];
      for (const policy of ['signet-broker', 'signet-viewer']) others.push(await site.tokenOf(policy));
      for (const token of others)
        expect(await put('mine', hostEntry('mine', match, { ttl: '1h' }), token), 403, 'vault_denied');
      expect(await broker.call('PUT', at('mine'), hostEntry('mine', match)), 401, 'token_missing');
      assert.deepEqual(await show('mine'), made);
      await expectRole('mine');
    });
    it("to an ID beyond the tenant's prefixes or a lifetime that the layout has not, and changes nothing", async () => {
      const match = { 'ssh-host:key': key() };
      const made = await create(hostEntry('reach', match));
      for (const change of [{ spiffe_id: 'spiffe://example.org/ns/globex/sa/x' }, { ttl: '24h' }])
        expect(await put('reach', hostEntry('reach', match, change)), 403, 'vault_denied');
      assert.deepEqual(await show('reach'), made);
      await expectRole('reach');
    });
    it('to what another could tie with', async () => {
      const taken = key();
      await create(hostEntry('there', { 'ssh-host:key': taken }));
      const made = await create(hostEntry('moves', { 'ssh-host:key': key() }));
      expect(await put('moves', hostEntry('moves', { 'ssh-host:key': taken })), 409, 'entry_overlaps');
      assert.deepEqual(await show('moves'), made);
    });
  });

  it('of two to one match at two brokers at once, at most one has its way and both documents stay sound', async () => {
    for (let round = 0; round < 6; round++) {
      const names = [`left-${round}`, `right-${round}`] as const;
      const made = await Promise.all(names.map((name) => create(hostEntry(name, { 'ssh-host:key': key() }))));
      const same = { 'ssh-host:key': key() };
      const replies = await Promise.all(
        names.map((name, i) =>
          put(name, hostEntry(name, same), site.registrar.shop, i === 0 ? broker : second),
        ),
      );
      const done = replies.filter(({ status }) => status === 200);
      assert.ok(done.length <= 1, JSON.stringify(replies.map(({ body }) => body)));
      for (const [i, name] of names.entries()) {
        const { match } = await show(name);
        assert.deepEqual(match, replies[i]!.status === 200 ? same : made[i].match);
        await expectRole(name);
      }
    }
  });
  it('by many at once through two brokers loses none that was answered with 200, and document and role agree', async () => {
    const match = { 'ssh-host:key': key() };
    await create(hostEntry('busy', match));
    for (let round = 0; round < 4; round++) {
      const wanted = ['15m', '1h', '15m', '1h'].map((ttl, i) =>
        hostEntry('busy', match, { ttl, spiffe_id: `spiffe://example.org/ns/shop/sa/busy-${round}-${i}` }),
      );
      const replies = await Promise.all(
        wanted.map((entry, i) => put('busy', entry, site.registrar.shop, i % 2 ? broker : second)),
      );
      for (const reply of replies) if (reply.status !== 200) expect(reply, 409, 'concurrent_write');
      const last = await show('busy');
      const done = replies.filter(({ status }) => status === 200).map(({ body }) => body.spiffe_id);
      assert.ok(done.includes(last.spiffe_id), JSON.stringify([last, done]));
      await expectRole('busy');
    }
  });
  it('while it is disabled by another leaves it either way, but never refused in one place and given in the other', async () => {
    const match = { 'ssh-host:key': key() };
    await create(hostEntry('torn', match));
    for (let round = 0; round < 12; round++) {
      await broker.call('POST', `${at('torn')}/enable`, {}, site.registrar.shop);
      const ttl = round % 2 ? '15m' : '1h';
      const [, off] = await Promise.all([
        put('torn', hostEntry('torn', match, { ttl }), site.registrar.shop, second),
        broker.call('POST', `${at('torn')}/disable`, {}, site.registrar.shop),
      ]);
      if (off.status !== 200) continue;
      assert.equal((await show('torn')).state, 'disabled');
      assert.equal(await role('torn'), undefined);
    }
  });

  it('while it is deleted, or enabled, by another leaves no role that no entry stands for', async () => {
    for (let round = 0; round < 12; round++) {
      const match = { 'ssh-host:key': key() };
      await create(hostEntry('brief', match));
      const change = hostEntry('brief', match, { ttl: '1h' });
      const other = broker.call('DELETE', at('brief'), undefined, site.registrar.shop);
      await Promise.all([put('brief', change, site.registrar.shop, second), other]);
      assert.equal((await show('brief')).code, 'entry_not_found');
      assert.equal(await role('brief'), undefined);
    }
    const match = { 'ssh-host:key': key() };
    await create(hostEntry('woken', match));
    for (let round = 0; round < 12; round++) {
      const switched = (verb: string, to: TestBroker) =>
        to.call('POST', `${at('woken')}/${verb}`, {}, site.registrar.shop);
      await switched('disable', broker);
      await Promise.all([
        put(
          'woken',
          hostEntry('woken', match, { ttl: round % 2 ? '15m' : '1h' }),
          site.registrar.shop,
          second,
        ),
        switched('enable', broker),
        switched('disable', second),
      ]);
      const { state } = await show('woken');
      assert.equal((await role('woken')) !== undefined, state === 'active', state);
    }
  });

  describe('what it means for a workload that runs', () => {
    const joined = async (name: string) => {
      const path = `${at(name)}/join-code`;
      const { body } = await broker.call('POST', path, {}, site.registrar.shop);
      const holder = svidKey();
      using client = await broker.connect();
      const reply = await client.attest('join', () => ({ code: body.code, next_key: holder.hash }));
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
      const svid = await spendGrant(site.vault.request, reply.body, holder);
      return { svid, instance: reply.body.instance };
    };
    const renew = async ({ svid, instance }: Awaited<ReturnType<typeof joined>>) => {
      using client = await second.connect({ shown: svid });
      const evidence = {
        instance_id: instance.id,
        generation: instance.generation,
        next_key: svidKey().hash,
      };
      return await client.attest('svid', () => evidence);
    };

    it('its next renewal is for the new lifetime', async () => {
      await create(joinEntry('longer'));
      const held = await joined('longer');
      expect(await put('longer', joinEntry('longer', { ttl: '1h' })), 200);
      const reply = await renew(held);
      assert.deepEqual([reply.status, reply.body.ttl], [201, '1h']);
      await spendGrant(site.vault.request, reply.body, svidKey());
    });
    it('under another ID it is refused', async () => {
      await create(joinEntry('renamed'));
      const held = await joined('renamed');
      const spiffe_id = 'spiffe://example.org/ns/shop/sa/renamed-2';
      expect(await put('renamed', joinEntry('renamed', { spiffe_id })), 200);
      expect(await renew(held), 403, 'no_entry');
      assert.equal((await joined('renamed')).svid !== undefined, true);
    });
    it('that began with a join code is refused where the entry asks for a host key', async () => {
      await create(joinEntry('pinned'));
      const held = await joined('pinned');
      expect(await put('pinned', hostEntry('pinned', { 'ssh-host:key': key() })), 200);
      expect(await renew(held), 403, 'no_entry');
    });
  });
});
