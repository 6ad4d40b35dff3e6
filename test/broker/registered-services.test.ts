import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Reply, type Shown, spendGrant, svidKey } from '../support/attest-client.ts';
import { joinEntry, openSite, type Site, type TestBroker, touchRevision, until } from './site.ts';

const ID = 'spiffe://example.org/ns/shop/sa/orders';
const GOOD = { addresses: ['10.0.0.5:8443', '[fd00::5]:8443'], spiffe_ids: [ID] };

describe('registered services', () => {
  let site: Site;
  let broker: TestBroker;
  let second: TestBroker;
  let shown: Shown;
  before(async () => {
    site = await openSite();
    [broker, second] = await Promise.all([site.startBroker(), site.startBroker()]);
    const { shop } = site.registrar;
    await broker.call('POST', '/v1/entries', joinEntry('caller'), shop);
    const { body } = await broker.call('POST', '/v1/entries/acme.shop/caller/join-code', {}, shop);
    using client = await broker.connect();
    const reply = await client.attest('join', () => ({ code: body.code }));
    shown = await spendGrant(site.vault.request, reply.body, svidKey());
  });
  after(() => site?.[Symbol.asyncDispose]());

  let count = 0;
  const at = (name: string, tenant = 'acme.shop') => `/v1/services/${tenant}/${name}`;
  const fresh = () => `s${count++}`;
  const put = (name: string, body: object, token = site.registrar.shop, to = broker, tenant = 'acme.shop') =>
    to.call('PUT', at(name, tenant), body, token);
  const show = (name: string, token = site.registrar.shop) => broker.call('GET', at(name), undefined, token);
  const expect = (reply: Reply, status: number, code?: string) =>
    assert.deepEqual([reply.status, reply.body?.code], [status, code], JSON.stringify(reply.body));
  /** What a sidecar is told. */
  const poll = async (query = '', to = broker) => {
    using client = await to.connect({ shown });
    return await client.send('GET', `/v1/services${query}`);
  };
  const told = async (host: string, to = broker) =>
    (await poll('', to)).body.registered.find((each: { host: string }) => each.host === host);

  it('are put, shown, listed, replaced and deleted, and sidecars of every broker are told', async () => {
    const made = await put('orders', { host: 'orders.internal', ...GOOD });
    expect(made, 201);
    assert.deepEqual(made.body, { tenant: 'acme/shop', name: 'orders', host: 'orders.internal', ...GOOD });
    assert.deepEqual((await show('orders')).body, made.body);
    const listed = await broker.call('GET', '/v1/services/acme.shop', undefined, site.registrar.shop);
    assert.deepEqual(listed.body, { services: [made.body], unreadable: [] });
    for (const each of [broker, second])
      await until(async () => (await told('orders.internal', each))?.spiffe_ids[0] === ID);
    assert.deepEqual(await told('orders.internal'), { host: 'orders.internal', ...GOOD });
    const moved = { ...made.body, addresses: ['10.0.0.6:8443'] };
    expect(await put('orders', moved), 200);
    await until(async () => (await told('orders.internal', second)).addresses[0] === '10.0.0.6:8443');
    expect(await broker.call('DELETE', at('orders'), undefined, site.registrar.shop), 204);
    expect(
      await broker.call('DELETE', at('orders'), undefined, site.registrar.shop),
      404,
      'service_not_found',
    );
    expect(await show('orders'), 404, 'service_not_found');
    await until(async () => (await told('orders.internal', second)) === undefined);
  });
  it('are told of a change while a sidecar waits, and its waiting costs no answer before', async () => {
    const { version } = (await poll()).body;
    const waiting = poll(`?since=${version}`, second);
    expect(await put('awaited', { host: 'awaited.internal', ...GOOD }), 201);
    const reply = await waiting;
    assert.equal(reply.status, 200);
    assert.ok(reply.body.registered.some(({ host }: { host: string }) => host === 'awaited.internal'));
    assert.deepEqual([reply.body.cluster, reply.body.services], ['', []]);
    assert.equal((await poll('?cluster=-')).body.version, reply.body.version);
    expect(await poll('?cluster=main'), 404, 'cluster_unknown');
  });

  describe('are refused as malformed', () => {
    const good = { host: 'bad.internal', ...GOOD };
    const cases: [what: string, body: object, pointer: string][] = [
      ['no host', { ...GOOD }, ''],
      ['a host of one part', { ...good, host: 'orders' }, '/host'],
      ['a host with capitals', { ...good, host: 'Orders.internal' }, '/host'],
      ['a host with a port', { ...good, host: 'orders.internal:80' }, '/host'],
      ['an address as host', { ...good, host: '10.0.0.5' }, '/host'],
      ['a name that Kubernetes gives', { ...good, host: 'orders.shop.svc' }, '/host'],
      ['likewise, with its domain', { ...good, host: 'orders.shop.svc.cluster.local' }, '/host'],
      ['this machine as host', { ...good, host: 'orders.localhost' }, '/host'],
      ['an address without a port', { ...good, addresses: ['10.0.0.5'] }, '/addresses/0'],
      ['port 0', { ...good, addresses: ['10.0.0.5:0'] }, '/addresses/0'],
      ['a port that is none', { ...good, addresses: ['10.0.0.5:65536'] }, '/addresses/0'],
      ['a name as address', { ...good, addresses: ['db.internal:8443'] }, '/addresses/0'],
      ['an address twice', { ...good, addresses: ['10.0.0.5:1', '10.0.0.5:1'] }, '/addresses'],
      ['nobody who may answer', { ...good, spiffe_ids: [] }, '/spiffe_ids'],
      ['an ID of another trust domain', { ...good, spiffe_ids: ['spiffe://example.com/a'] }, '/spiffe_ids/0'],
      [
        "an ID of Signet's own",
        { ...good, spiffe_ids: ['spiffe://example.org/signet/broker'] },
        '/spiffe_ids/0',
      ],
      ['an ID with a star', { ...good, spiffe_ids: ['spiffe://example.org/ns/*'] }, '/spiffe_ids/0'],
      ['a field that there is not', { ...good, ports: [] }, '/ports'],
      ["another's name", { ...good, name: 'other' }, '/name'],
    ];
    for (const [what, body, pointer] of cases) {
      it(what, async () => {
        const reply = await put('bad', body);
        expect(reply, 400, 'malformed');
        const pointers = reply.body.errors.map((defect: { pointer: string }) => defect.pointer);
        assert.ok(pointers.includes(pointer), pointers.join(' '));
        expect(await show('bad'), 404, 'service_not_found');
      });
    }
  });

  it('are of whom Vault says: no other tenant, no broker, no viewer writes one, and nobody without a token', async () => {
    const service = { host: 'mine.internal', ...GOOD };
    expect(await put('mine', service), 201);
    const { globex } = site.registrar;
    for (const token of [globex, await site.tokenOf('signet-broker'), await site.tokenOf('signet-viewer')]) {
      expect(await put('mine', service, token), 403, 'vault_denied');
      expect(await broker.call('DELETE', at('mine'), undefined, token), 403, 'vault_denied');
    }
    expect(await show('mine', globex), 403, 'vault_denied');
    expect(await broker.call('GET', '/v1/services/acme.shop', undefined, globex), 403, 'vault_denied');
    expect(await show('mine', await site.tokenOf('signet-viewer')), 200);
    expect(await broker.call('PUT', at('mine'), service), 401, 'token_missing');
    expect(await broker.call('GET', at('MINE'), undefined, globex), 404, 'service_not_found');
  });
  it('have a host of their own: a second claim is refused, and whose it is told to those who may know', async () => {
    expect(await put('first', { host: 'taken.internal', ...GOOD }), 201);
    const own = await put('second', { host: 'taken.internal', ...GOOD });
    expect(own, 409, 'service_host_taken');
    assert.equal(own.body.detail, 'it is acme/shop/first');
    const other = await put(
      'x',
      { host: 'taken.internal', ...GOOD },
      site.registrar.globex,
      second,
      'globex',
    );
    expect(other, 409, 'service_host_taken');
    assert.equal(other.body.detail, 'it is a service of another tenant');
    expect(await put('moved', { host: 'free.internal', ...GOOD }), 201);
    expect(await put('moved', { host: 'taken.internal', ...GOOD }), 409, 'service_host_taken');
    assert.equal((await show('moved')).body.host, 'free.internal');
  });
  it('claimed by two at once at two brokers, is given to one at most, and no trace stays of the other', async () => {
    for (let round = 0; round < 6; round++) {
      const [host, names] = [`race-${round}.internal`, [fresh(), fresh()] as const];
      const replies = await Promise.all([
        put(names[0], { host, ...GOOD }),
        put(names[1], { host, ...GOOD }, site.registrar.shop, second),
      ]);
      const made = replies.filter(({ status }) => status === 201).length;
      assert.ok(made <= 1, JSON.stringify(replies.map(({ body }) => body)));
      const there = await Promise.all(names.map(async (name) => (await show(name)).status));
      assert.equal(there.filter((status) => status === 200).length, made);
    }
  });
  it('written past the brokers with a host of others are told to nobody, and the rest is', async () => {
    const data = { tenant: 'globex', name: 'thief', host: 'mine.internal', ...GOOD };
    await site.vault.request('POST', 'signet/data/services/globex/thief', { data, options: { cas: 0 } });
    expect(await put(fresh(), { host: 'rest.internal', ...GOOD }), 201);
    const quick = await site.startBroker({ SIGNET_RELOAD: '1s' });
    assert.equal(await told('mine.internal', quick), undefined);
    assert.notEqual(await told('rest.internal', quick), undefined);
    await quick.waitForEvent('service_host_tied');
    await quick.stop();
    await site.vault.request('DELETE', 'signet/metadata/services/globex/thief');
  });
  it('that cannot be read are passed over, listed as such, and can be replaced', async () => {
    const path = 'signet/data/services/acme.shop/odd';
    await site.vault.request('POST', path, { data: { odd: true }, options: { cas: 0 } });
    expect(await show('odd'), 409, 'service_unreadable');
    const { body } = await broker.call('GET', '/v1/services/acme.shop', undefined, site.registrar.shop);
    assert.deepEqual(body.unreadable, ['acme/shop/odd']);
    expect(await put('odd', { host: 'odd.internal', ...GOOD }), 200);
  });
  it('are so many to a tenant and no more; what there is can still be changed', async () => {
    const names = Array.from({ length: 256 }, (_, i) => `n${i}`);
    await Promise.all(
      names.map(async (name) => {
        const data = { tenant: 'globex', name, host: `${name}.globex`, ...GOOD };
        await site.vault.request('POST', `signet/data/services/globex/${name}`, {
          data,
          options: { cas: 0 },
        });
      }),
    );
    const { globex } = site.registrar;
    await touchRevision(site);
    const more = await put('more', { host: 'more.globex', ...GOOD }, globex, broker, 'globex');
    expect(more, 409, 'service_limit');
    expect(await put('n7', { host: 'n7.globex', ...GOOD }, globex, broker, 'globex'), 200);
    expect(
      await put('n8', { host: 'n7.globex', ...GOOD }, globex, broker, 'globex'),
      409,
      'service_host_taken',
    );
  });
});
