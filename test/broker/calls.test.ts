import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { createCallStore, type Report } from '../../broker/calls/store.ts';
import { Tally } from '../../lib/calls/index.ts';
import { type Reply, spendGrant, type TestSvid } from '../support/attest-client.ts';
import { joinEntry, openSite, type Site, type TestBroker, writeDenylist } from './site.ts';

const WEB = 'spiffe://example.org/ns/shop/sa/web';
const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';

function minute(at = new Date(), caller = WEB) {
  const tally = new Tally();
  tally.add({
    ...{ caller, method: 'GET', path: '/orders/7', effect: 'allow', rule: 'may', dryRun: 0, decision: 'd' },
    ...{ code: '', status: 200, received: 0, sent: 1, whole: true, ms: 3, at: at.getTime() },
  });
  return tally.take()!;
}

describe('POST and GET /v1/calls', function () {
  this.timeout(60_000);
  let site: Site;
  let broker: TestBroker;
  let orders: TestSvid;
  let seq = 0;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    orders = await join('orders');
  });
  after(() => site?.[Symbol.asyncDispose]());

  const join = async (name: string): Promise<TestSvid> => {
    await broker.call('POST', '/v1/entries', joinEntry(name), site.registrar.shop);
    const path = `/v1/entries/acme.shop/${name}/join-code`;
    const { code } = (await broker.call('POST', path, {}, site.registrar.shop)).body;
    using client = await broker.connect();
    const reply = await client.attest('join', () => ({ code }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return await spendGrant(site.vault.request, reply.body);
  };
  const report = (more: object = {}) => ({ reporter: 'A'.repeat(22), seq: seq++, ...minute(), ...more });
  const tell = async (body: unknown, shown: TestSvid | null = orders, at = broker): Promise<Reply> => {
    using client = await at.connect(shown === null ? {} : { shown });
    return await client.send('POST', '/v1/calls', body);
  };
  const map = async (query = '') => {
    const token = await site.tokenOf('signet-viewer');
    return (await broker.call('GET', `/v1/calls${query}`, undefined, token)).body;
  };
  const code = async (reply: Promise<Reply>) => [(await reply).status, (await reply).body?.code];

  it('tell of the service whose SVID is shown, once for each message', async () => {
    assert.deepEqual(await map(), { minutes: 60, edges: [], edges_more: 0, reports_dropped: 0 });
    const body = report();
    assert.equal((await tell(body)).status, 204);
    assert.equal((await tell(body)).status, 204);
    assert.equal((await tell(report({ reporter: 'B'.repeat(22) }))).status, 204);
    const { edges } = await map('?minutes=2');
    assert.deepEqual(
      edges.map(({ caller, service, count }: Record<string, unknown>) => [caller, service, count]),
      [[WEB, ORDERS, 2]],
    );
  });

  it('refuse whoever shows no SVID, and what is not of the form or the hour', async () => {
    assert.deepEqual(await code(tell(report(), null)), [401, 'svid_needed']);
    const [row] = minute().rows;
    const [sample] = minute().samples;
    const now = Math.floor(Date.now() / 60_000);
    const bad: [what: string, more: object][] = [
      ['a service of its own', { service: WEB }],
      ['no rows', { rows: [] }],
      ['too many rows', { rows: Array(257).fill(row) }],
      ['too many samples', { samples: Array(9).fill(sample) }],
      ['a caller that is none', { rows: [{ ...row, caller: 'spiffe://example.org/a b' }] }],
      ['a caller that moves the cursor', { rows: [{ ...row, caller: 'spiffe://example.org/a\u001b[2J' }] }],
      ['a query', { samples: [{ ...sample, path: '/a?b' }] }],
      ['a route that moves the cursor', { rows: [{ ...row, route: '/\u001b[2J' }] }],
      ['a route with a line break', { rows: [{ ...row, route: '/a\n' }] }],
      ['a header', { samples: [{ ...sample, authorization: 'x' }] }],
      ['a count below zero', { rows: [{ ...row, count: -1 }] }],
      ['a count that is no number', { rows: [{ ...row, count: '1' }] }],
      ['too few durations', { rows: [{ ...row, durations: [1] }] }],
      ['an effect that is none', { rows: [{ ...row, effect: 'maybe' }] }],
      ['a reporter that is none', { reporter: '../..' }],
      ['an hour ago', { minute: now - 60 }],
      ['tomorrow', { minute: now + 1_440 }],
    ];
    for (const [what, more] of bad)
      assert.deepEqual(await code(tell(report(more))), [400, 'malformed'], what);
    const large = report({ reporter: 'x'.repeat(1_100_000) });
    assert.deepEqual(await code(tell(large)), [413, 'too_large']);
    assert.equal((await map()).edges[0].count, 2);
  });

  it('are shown to those whom Vault lets read what is published', async () => {
    assert.deepEqual(await code(broker.call('GET', '/v1/calls')), [401, 'token_missing']);
    const registrar = broker.call('GET', '/v1/calls', undefined, site.registrar.shop);
    assert.deepEqual(await code(registrar), [403, 'vault_denied']);
    const token = await site.tokenOf('signet-author');
    assert.equal((await broker.call('GET', '/v1/calls', undefined, token)).status, 200);
    for (const query of ['minutes=0', 'minutes=61', 'minutes=x', 'more=1'])
      assert.deepEqual(
        await code(broker.call('GET', `/v1/calls?${query}`, undefined, token)),
        [400, 'malformed'],
        query,
      );
  });

  it('refuse one who tells too often, and one who is denied', async () => {
    const slow = await site.startBroker({ SIGNET_RATE_IDENTITY: '1' });
    const statuses = [];
    for (let i = 0; i < 8; i++) statuses.push((await tell(report(), orders, slow)).status);
    assert.ok(
      statuses.slice(0, 5).every((status) => status === 204) && statuses.includes(429),
      `${statuses}`,
    );
    await writeDenylist(site, { ids: [ORDERS], serials: [] });
    assert.deepEqual(await code(tell(report())), [403, 'identity_denied']);
  });
});

describe('the store of calls', () => {
  const at = new Date('2026-01-01T12:00:00Z');
  const later = (minutes: number) => new Date(at.getTime() + minutes * 60_000);
  const of = (service: string, seq: number, when = at): Report => ({
    ...{ service, reporter: 'r', seq },
    ...minute(when),
  });
  const seqs = (store: ReturnType<typeof createCallStore>, service: string, now = at) =>
    [...store.since(60, now)].flatMap((each) => (each.service === service ? [(each as Report).seq] : []));

  it('keeps an hour', () => {
    const store = createCallStore();
    store.add(of('a', 0), 10, at);
    store.add(of('b', 0, later(30)), 10, later(30));
    assert.deepEqual([...store.since(10, later(30))].length, 1);
    assert.deepEqual([seqs(store, 'a', later(59)), seqs(store, 'a', later(60))], [[0], []]);
    store.add(of('b', 1, later(61)), 10, later(61));
    // gone, not only hidden
    assert.deepEqual([seqs(store, 'a'), seqs(store, 'b', later(61)), store.dropped], [[], [0, 1], 0]);
  });

  it('leaves a message that comes again as it was, and counts it once', () => {
    const store = createCallStore({ bytes: 100, bytesOfService: 50 });
    for (let i = 0; i < 9; i++) store.add({ ...of('a', 0), rows: i === 0 ? minute().rows : [] }, 10, at);
    assert.deepEqual(
      [...store.since(60, at)].map(({ rows }) => rows.length),
      [1],
    );
    for (let i = 1; i < 5; i++) store.add(of('a', i), 10, at);
    assert.deepEqual([seqs(store, 'a'), store.dropped], [[0, 1, 2, 3, 4], 0]);
  });

  it('lets go of the oldest of a service that tells too much, and of nobody else’s', () => {
    const store = createCallStore({ bytes: 100, bytesOfService: 50 });
    store.add(of('quiet', 0), 40, at);
    for (let i = 0; i < 20; i++) store.add(of('loud', i), 10, at);
    assert.deepEqual([seqs(store, 'quiet'), seqs(store, 'loud')], [[0], [15, 16, 17, 18, 19]]);
    assert.equal(store.dropped, 15);
    // together too much: the one that has most gives
    store.add(of('third', 0), 15, at);
    assert.deepEqual([seqs(store, 'quiet'), seqs(store, 'third')], [[0], [0]]);
    assert.deepEqual(seqs(store, 'loud'), [16, 17, 18, 19]);
  });
});
