import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { Reply } from '../support/attest-client.ts';
import { hostEntry, joinEntry, openSite, type Site, type TestBroker } from './site.ts';

describe('registration', () => {
  let site: Site;
  let broker: TestBroker;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
  });
  after(() => site?.[Symbol.asyncDispose]());

  let count = 0;
  const key = () => `SHA256:key${count++}`;
  const create = (entry: object, token = site.registrar.shop, at = broker) =>
    at.call('POST', '/v1/entries', entry, token);
  const one = (method: string, name: string, verb = '', token = site.registrar.shop) =>
    broker.call(method, `/v1/entries/acme.shop/${name}${verb}`, method === 'POST' ? {} : undefined, token);
  const expect = (reply: Reply, status: number, code?: string) =>
    assert.deepEqual([reply.status, reply.body?.code], [status, code], JSON.stringify(reply.body));
  const revision = async () =>
    (await site.vault.request('GET', 'signet/data/revision')).body.data.data.revision;

  it('makes an entry, shows it, lists it, and every write raises the revision by one', async () => {
    const entry = hostEntry(
      'orders',
      { 'ssh-host:key': key() },
      { networks: ['127.0.0.0/8'], federates_with: ['example.com'] },
    );
    const before = await revision();
    const made = await create(entry);
    expect(made, 201);
    assert.deepEqual(made.body, { ...entry, state: 'active' });
    assert.equal(await revision(), before + 1);
    assert.deepEqual((await one('GET', 'orders')).body, made.body);
    assert.deepEqual(
      (await broker.call('GET', '/v1/entries?tenant=acme/shop', undefined, site.registrar.shop)).body.entries,
      [made.body],
    );
    assert.equal((await one('POST', 'orders', '/disable')).body.state, 'disabled');
    assert.equal((await one('POST', 'orders', '/enable')).body.state, 'active');
    assert.equal(await revision(), before + 3);
    expect(await one('DELETE', 'orders'), 204);
    expect(await one('GET', 'orders'), 404, 'entry_not_found');
    expect(await one('DELETE', 'orders'), 404, 'entry_not_found');
  });
  it('makes the token role, which says the same', async () => {
    await create(hostEntry('role', { 'ssh-host:key': key() }, { ttl: '1h', networks: ['10.1.0.0/16'] }));
    const { data } = (await site.vault.request('GET', 'auth/token/roles/signet-acme.shop_role')).body;
    assert.deepEqual(data.allowed_entity_aliases, ['ns/shop/sa/role']);
    assert.deepEqual(data.allowed_policies, ['signet-workload-1h']);
    assert.deepEqual(data.token_bound_cidrs, ['10.1.0.0/16']);
    assert.deepEqual(
      [data.orphan, data.token_num_uses, data.token_explicit_max_ttl, data.token_no_default_policy],
      [true, 1, 300, true],
    );
  });
  it('made twice the same way is made once; in another way it is refused', async () => {
    const entry = hostEntry('twice', { 'ssh-host:key': key() });
    expect(await create(entry), 201);
    expect(await create(entry), 200);
    const other = await create({ ...entry, ttl: '1h' });
    expect(other, 409, 'entry_exists');
    assert.equal(other.body.detail, 'it differs in ttl');
    await one('POST', 'twice', '/disable');
    expect(await create(entry), 409, 'entry_exists');
  });
  it('disabled twice is disabled, enabled twice is enabled', async () => {
    await create(hostEntry('steady', { 'ssh-host:key': key() }));
    for (const [verb, state] of [
      ['/disable', 'disabled'],
      ['/disable', 'disabled'],
      ['/enable', 'active'],
      ['/enable', 'active'],
    ] as const) {
      const reply = await one('POST', 'steady', verb);
      expect(reply, 200);
      assert.equal(reply.body.state, state);
    }
  });

  describe('is refused as malformed', () => {
    const cases: [what: string, change: object, pointer: string][] = [
      ['no tenant', { tenant: undefined }, ''],
      ['a tenant with capitals', { tenant: 'Acme' }, '/tenant'],
      ['a tenant that climbs', { tenant: '../globex' }, '/tenant'],
      ['a name with a slash', { name: 'a/b' }, '/name'],
      ['no selectors', { match: {} }, '/match'],
      ['selectors of two kinds', { match: { 'ssh-host:key': 'a', 'join:entry': 'b' } }, '/match'],
      ['a kind that this broker does not verify', { match: { 'tpm:ek': 'a' } }, '/match'],
      ['a host certificate of anybody', { match: { 'ssh-host:principal': 'vm' } }, '/match'],
      ['an ID in another trust domain', { spiffe_id: 'spiffe://example.com/ns/shop/sa/x' }, '/spiffe_id'],
      ['an ID with capitals', { spiffe_id: 'spiffe://example.org/ns/shop/sa/X' }, '/spiffe_id'],
      ['an ID with a star', { spiffe_id: 'spiffe://example.org/ns/shop/sa/*' }, '/spiffe_id'],
      ["an ID of Signet's own", { spiffe_id: 'spiffe://example.org/signet/broker' }, '/spiffe_id'],
      ['a lifetime without a unit', { ttl: '900' }, '/ttl'],
      ['a network that is none', { networks: ['everywhere'] }, '/networks/0'],
      ['a field that there is not', { policies: ['root'] }, '/policies'],
      ['a state', { state: 'disabled' }, '/state'],
      ['a prototype', { match: JSON.parse('{"__proto__":"x"}') }, '/match/__proto__'],
    ];
    for (const [what, change, pointer] of cases) {
      it(what, async () => {
        const reply = await create({ ...hostEntry('bad', { 'ssh-host:key': key() }), ...change });
        expect(reply, 400, 'malformed');
        assert.ok(
          reply.body.errors.some((defect: { pointer: string }) => defect.pointer === pointer),
          JSON.stringify(reply.body),
        );
        expect(await one('GET', 'bad'), 404, 'entry_not_found');
      });
    }
    it('with everything that is wrong at once', async () => {
      const reply = await create({
        ...hostEntry('bad', { 'ssh-host:key': key() }),
        tenant: 'A',
        name: 'B',
        networks: ['c'],
      });
      assert.deepEqual(
        reply.body.errors.map(({ pointer }: { pointer: string }) => pointer),
        ['/tenant', '/name', '/networks/0'],
      );
    });
  });

  describe('is decided by Vault and the token of the caller', () => {
    it('without one it is refused', async () => {
      expect(
        await broker.call('POST', '/v1/entries', hostEntry('x', { 'ssh-host:key': key() })),
        401,
        'token_missing',
      );
      expect(await broker.call('GET', '/v1/entries', undefined, 'two words'), 401, 'token_missing');
    });
    it('with one that Vault does not know it is refused', async () => {
      expect(await create(hostEntry('x', { 'ssh-host:key': key() }), 'hvs.nobody'), 403, 'vault_denied');
    });
    it("with the broker's own it is refused", async () => {
      expect(
        await create(hostEntry('x', { 'ssh-host:key': key() }), await site.tokenOf('signet-broker')),
        403,
        'vault_denied',
      );
    });
    it("with another tenant's it is refused, whatever is asked", async () => {
      await create(hostEntry('mine', { 'ssh-host:key': key() }));
      const { globex } = site.registrar;
      expect(await create(hostEntry('x', { 'ssh-host:key': key() }), globex), 403, 'vault_denied');
      for (const [method, verb] of [
        ['GET', ''],
        ['DELETE', ''],
        ['POST', '/disable'],
        ['POST', '/enable'],
      ] as const) {
        expect(await one(method, 'mine', verb, globex), 403, 'vault_denied');
      }
      expect(
        await broker.call('GET', '/v1/entries?tenant=acme/shop', undefined, globex),
        403,
        'vault_denied',
      );
      expect(await broker.call('GET', '/v1/entries', undefined, globex), 403, 'vault_denied');
      assert.equal((await one('GET', 'mine')).body.state, 'active');
    });
    it("an ID beyond the tenant's prefixes is refused and leaves nothing behind", async () => {
      const entry = {
        ...hostEntry('reach', { 'ssh-host:key': key() }),
        spiffe_id: 'spiffe://example.org/ns/globex/sa/x',
      };
      expect(await create(entry), 403, 'vault_denied');
      expect(await one('GET', 'reach'), 404, 'entry_not_found');
    });
    it('a lifetime that the layout does not have is refused and leaves nothing behind', async () => {
      expect(await create(hostEntry('long', { 'ssh-host:key': key() }, { ttl: '24h' })), 403, 'vault_denied');
      expect(await one('GET', 'long'), 404, 'entry_not_found');
    });
    it('a viewer sees all tenants and changes nothing', async () => {
      await create(
        {
          ...hostEntry('theirs', { 'ssh-host:key': key() }),
          tenant: 'globex',
          spiffe_id: 'spiffe://example.org/ns/globex/sa/x',
        },
        site.registrar.globex,
      );
      const viewer = await site.tokenOf('signet-viewer');
      const { body } = await broker.call('GET', '/v1/entries', undefined, viewer);
      const tenants = new Set(body.entries.map(({ tenant }: { tenant: string }) => tenant));
      assert.deepEqual([...tenants].sort(), ['acme/shop', 'globex']);
      expect(await create(hostEntry('x', { 'ssh-host:key': key() }), viewer), 403, 'vault_denied');
      expect(await one('DELETE', 'mine', '', viewer), 403, 'vault_denied');
    });
    it("names Vault's refusal by a code and repeats none of its words", async () => {
      const reply = await create(hostEntry('x', { 'ssh-host:key': key() }), 'hvs.nobody');
      assert.doesNotMatch(JSON.stringify(reply.body), /permission denied|invalid token|hvs\./);
    });
  });

  describe('of an entry that another could tie with', () => {
    it('is refused, and the other is named where the caller may know it', async () => {
      const same = key();
      await create(hostEntry('first', { 'ssh-host:key': same }));
      const reply = await create(hostEntry('second', { 'ssh-host:key': same }));
      expect(reply, 409, 'entry_overlaps');
      assert.equal(reply.body.detail, 'it meets acme/shop/first');
      expect(await one('GET', 'second'), 404, 'entry_not_found');
    });
    it("of another tenant is refused without the other's name", async () => {
      const same = key();
      await create(hostEntry('seen', { 'ssh-host:key': same }));
      const entry = {
        ...hostEntry('spy', { 'ssh-host:key': same }),
        tenant: 'globex',
        spiffe_id: 'spiffe://example.org/ns/globex/sa/spy',
      };
      const reply = await create(entry, site.registrar.globex);
      expect(reply, 409, 'entry_overlaps');
      assert.equal(reply.body.detail, 'it meets an entry of another tenant');
    });
    it('made at the same time at two brokers, does not pass twice', async () => {
      const second = await site.startBroker();
      for (let round = 0; round < 8; round++) {
        const same = key();
        const replies = await Promise.all([
          create(hostEntry(`left-${round}`, { 'ssh-host:key': same })),
          create(hostEntry(`right-${round}`, { 'ssh-host:key': same }), site.registrar.shop, second),
        ]);
        const made = replies.filter(({ status }) => status === 201);
        assert.ok(made.length <= 1, JSON.stringify(replies.map(({ body }) => body)));
      }
      await second.stop();
    });
    it('of the other kind of evidence is no tie', async () => {
      expect(await create(joinEntry('code')), 201);
      expect(await create(hostEntry('keyed', { 'ssh-host:key': key() })), 201);
    });
  });

  it('of many at once by two brokers is all there in the end, and each broker knows all of them', async () => {
    const second = await site.startBroker();
    const names = Array.from({ length: 24 }, (_, i) => `many-${i}`);
    const replies = await Promise.all(
      names.map((name, i) =>
        create(hostEntry(name, { 'ssh-host:key': key() }), site.registrar.shop, i % 2 ? second : broker),
      ),
    );
    assert.deepEqual(
      replies.map(({ status }) => status),
      names.map(() => 201),
    );
    const { body } = await second.call('GET', '/v1/entries?tenant=acme.shop', undefined, site.registrar.shop);
    const listed = body.entries.map(({ name }: { name: string }) => name);
    assert.ok(names.every((name) => listed.includes(name)));
    await second.stop();
  });
  it('of a document that cannot be read can be listed as such, and deleted', async () => {
    await site.vault.request('POST', 'signet/data/entries/acme.shop/odd', {
      data: { odd: true },
      options: { cas: 0 },
    });
    const { body } = await broker.call('GET', '/v1/entries?tenant=acme/shop', undefined, site.registrar.shop);
    assert.deepEqual(body.unreadable, ['acme/shop/odd']);
    expect(await one('GET', 'odd'), 409, 'entry_state');
    expect(await create(hostEntry('odd', { 'ssh-host:key': key() })), 409, 'entry_state');
    expect(await one('DELETE', 'odd'), 204);
  });
});
