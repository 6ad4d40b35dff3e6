import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import { describe, it } from 'mocha';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import { ask, openPlain } from '../http2/world.ts';
import { answering, OK, problemIn, type World, world } from '../inbound/world.ts';
import { HandHeld, type Listed } from '../services/support.ts';
import { dialPlain, until } from '../sockets.ts';
import { clock, credentialsFor, ORDERS, quiet, WEB } from '../support.ts';
import { upstream } from './world.ts';

const THIEF = 'spiffe://example.org/ns/shop/sa/thief';
const get = (host: string) => `GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

const orders = (...places: readonly { readonly address: string }[]): Listed => ({
  ports: { 80: Object.fromEntries(places.map(({ address }) => [address, ORDERS])) },
});

/** WEB's outbound proxy, which knows what `services` says. */
async function calling(w: World, services: HandHeld, statics: Parameters<typeof upstream>[] = []) {
  return await createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: statics.map((each) => upstream(...each)),
    ...{ services, credentials: w.web, clock, log: quiet, metrics: createMetrics() },
  });
}

describe('outbound: Services', () => {
  it('are called by each of their names, and by no other', async () => {
    await using w = await world();
    const services = new HandHeld({
      'orders.shop': { ports: { 80: { [w.inbound.address]: ORDERS }, 9090: {} } },
      'single.shop': { ports: { 8080: { [w.inbound.address]: ORDERS } } },
      'pods.shop': { target: 8080, ports: { 81: { [w.inbound.address]: ORDERS } } },
      'plain.shop': { absent: 'not_injected' },
      'empty.shop': { ports: { 80: {} } },
    });
    await using outbound = await calling(w, services);
    using app = await dialPlain(outbound.address);
    const names = ['orders', 'orders.shop', 'orders.shop.svc', 'orders.shop.svc.cluster.local'];
    for (const host of [...names, 'ORDERS.shop:80', 'single.shop', 'single.shop:8080', 'pods.shop:8080']) {
      app.received = '';
      app.send(get(host));
      await app.hears(OK);
    }
    const refused: readonly [string, number, string][] = [
      ['orders.elsewhere', 404, 'unknown_upstream'],
      ['orders.shop.svc.cluster.example', 404, 'unknown_upstream'],
      ['orders.svc', 404, 'unknown_upstream'],
      ['plain.shop', 404, 'unknown_upstream'],
      ['orders.shop:81', 404, 'unknown_port'],
      ['single.shop:80', 404, 'unknown_port'],
      ['orders.shop:9090', 503, 'no_endpoints'],
      ['empty', 503, 'no_endpoints'],
    ];
    for (const [host, status, code] of refused) {
      app.received = '';
      app.send(get(host));
      const problem = problemIn(await app.hears('"detail"'));
      assert.deepEqual([host, problem.status, problem['code']], [host, status, code]);
    }
    app.received = '';
    app.send(get('plain.shop'));
    assert.match(String(problemIn(await app.hears('"reason"'))['detail']), /none of its pods has a sidecar/);
  });

  it('are refused until it is known which there are; upstreams are not, and go first', async () => {
    await using w = await world();
    const services = new HandHeld();
    const port = Number(w.inbound.address.split(':')[1]);
    await using outbound = await calling(w, services, [['fixed.shop', [port]]]);
    using app = await dialPlain(outbound.address);
    app.send(get('orders.shop'));
    const problem = problemIn(await app.hears('"detail"'));
    assert.deepEqual([problem.status, problem['code']], [503, 'services_unknown']);
    app.send(get('fixed.shop'));
    await app.hears(OK);
    services.tell({ 'fixed.shop': { ports: { 80: {} } }, 'orders.shop': orders(w.inbound) });
    for (const host of ['fixed.shop', 'orders.shop']) {
      app.received = '';
      app.send(get(host));
      await app.hears(OK);
    }
  });

  it('that are registered are called by their host, whatever the port, and never in the place of a Service', async () => {
    await using w = await world();
    await using thief = await world({ ca: w.ca, credentials: await credentialsFor(w.ca, THIEF) });
    const services = new HandHeld({ 'orders.shop': orders(w.inbound) });
    await using outbound = await calling(w, services);
    using app = await dialPlain(outbound.address);
    const hears = async (host: string, want: string) => {
      app.received = '';
      app.send(get(host));
      return await app.hears(want);
    };
    const at = (address: string, ...spiffe_ids: string[]) => ({ addresses: [address], spiffe_ids });
    const mine = { host: 'orders.db.internal', ...at(w.inbound.address, THIEF, ORDERS) };
    const shadow = { host: 'orders.shop', ...at(thief.inbound.address, THIEF) };
    services.tell({ 'orders.shop': orders(w.inbound) }, [mine, shadow]);
    for (const host of [
      'orders.db.internal',
      'ORDERS.db.internal:8080',
      'orders.db.internal.',
      'orders.shop',
    ])
      await hears(host, OK);
    assert.equal(problemIn(await hears('db.internal', '"detail"'))['code'], 'unknown_upstream');
    // somebody else answers there than was registered
    services.tell({}, [{ ...mine, ...at(thief.inbound.address, ORDERS) }]);
    const problem = problemIn(await hears('orders.db.internal', '"cause"'));
    assert.deepEqual([problem['code'], problem['cause']], ['upstream_identity', 'SVID_WRONG_ID']);
    // who may answer is another now, and so is the connection
    services.tell({}, [{ ...mine, ...at(w.inbound.address, ORDERS) }]);
    await hears('orders.db.internal', OK);
    services.tell({}, [{ ...mine, ...at(w.inbound.address, THIEF) }]);
    assert.equal(problemIn(await hears('orders.db.internal', '"cause"'))['code'], 'upstream_identity');
    services.tell({}, [{ ...mine, addresses: [] }]);
    assert.equal(problemIn(await hears('orders.db.internal', '"detail"'))['code'], 'no_endpoints');
    services.tell({}, []);
    assert.equal(problemIn(await hears('orders.db.internal', '"detail"'))['code'], 'unknown_upstream');
  });

  it('get nothing at an address where somebody else answers than its pod', async () => {
    await using w = await world();
    await using thief = await world({ ca: w.ca, credentials: await credentialsFor(w.ca, THIEF) });
    await using outbound = await calling(w, new HandHeld({ 'orders.shop': orders(thief.inbound) }));
    using app = await dialPlain(outbound.address);
    app.send('POST /a HTTP/1.1\r\nHost: orders.shop\r\nContent-Length: 6\r\n\r\nsecret');
    const problem = problemIn(await app.hears('"cause"'));
    assert.deepEqual(
      [problem.status, problem['code'], problem['cause']],
      [502, 'upstream_identity', 'SVID_WRONG_ID'],
    );
    const session = await openPlain(outbound.address);
    const answer = await ask(session, { ':path': '/a', ':authority': 'orders.shop' });
    session.destroy();
    assert.equal(JSON.parse(answer.body).code, 'upstream_identity');
    assert.equal(thief.app.received, '');
  });

  it('are taken from the address that has the right pod, when another has its label', async () => {
    await using w = await world();
    // the namespace's other account joined by its labels: its address is in the list, with its own ID
    await using other = await world({
      ca: w.ca,
      credentials: await credentialsFor(w.ca, THIEF),
      documents: [],
    });
    const both = { [w.inbound.address]: ORDERS, [other.inbound.address]: ORDERS };
    await using outbound = await calling(w, new HandHeld({ 'orders.shop': { ports: { 80: both } } }));
    for (let i = 0; i < 4; i++) {
      using app = await dialPlain(outbound.address);
      app.send(get('orders.shop'));
      await app.hears(OK);
    }
    assert.equal(other.app.received, '');
  });

  for (const http2 of [false, true])
    it(`connections are cut at once when their address becomes another's, in HTTP/${http2 ? 2 : 1}`, async () => {
      await using w = await world({ answer: () => {} });
      const services = new HandHeld({ 'orders.shop': orders(w.inbound) });
      await using outbound = await calling(w, services);
      const waiting = await began(outbound.address, http2);
      await until(
        () => w.app.received.includes('GET /a'),
        () => w.app.received,
      );
      services.tell({ 'orders.shop': { ports: { 80: { [w.inbound.address]: THIEF } } } });
      assert.equal(await waiting.status(), 502);
      const before = w.app.received;
      using app = await dialPlain(outbound.address);
      app.send(get('orders.shop'));
      assert.equal(problemIn(await app.hears('"cause"'))['cause'], 'SVID_WRONG_ID');
      assert.equal(w.app.received, before);
      waiting.end();
    });

  for (const http2 of [false, true])
    it(`what is under way to an address that is gone goes on to its end, in HTTP/${http2 ? 2 : 1}`, async () => {
      await using w = await world({ answer: () => {} });
      const services = new HandHeld({ 'orders.shop': orders(w.inbound) });
      await using outbound = await calling(w, services);
      const waiting = await began(outbound.address, http2);
      await until(
        () => w.app.received.includes('GET /a'),
        () => w.app.received,
      );
      services.tell({});
      using app = await dialPlain(outbound.address);
      app.send(get('orders.shop'));
      assert.equal(problemIn(await app.hears('"detail"'))['code'], 'unknown_upstream');
      w.app.connections[0]!.socket.write(OK);
      assert.equal(await waiting.status(), 200);
      await until(
        () => w.inbound.connections === 0,
        () => `${w.inbound.connections} connections are left`,
      );
      waiting.end();
    });

  for (const http2 of [false, true])
    it(`lose no request while endpoints come and go, in HTTP/${http2 ? 2 : 1}`, async () => {
      await using w = await world();
      await using second = await world({ ca: w.ca });
      await using third = await world({ ca: w.ca });
      const all = [w, second, third];
      const services = new HandHeld({ 'orders.shop': orders(w.inbound) });
      await using outbound = await calling(w, services);
      let over = false;
      const clients = Array.from({ length: 8 }, () => calls(outbound.address, http2, () => over));
      for (let turn = 0; turn < 60; turn++) {
        const [a, b] = [all[turn % 3]!, all[(turn + 1) % 3]!];
        services.tell({ 'orders.shop': turn % 2 === 0 ? orders(a.inbound) : orders(a.inbound, b.inbound) });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      over = true;
      const counts = await Promise.all(clients);
      assert.ok(
        counts.every((count) => count > 0),
        String(counts),
      );
      for (const each of all) assert.notEqual(each.app.received, '');
    });

  it('serve again as soon as there is a pod', async () => {
    await using w = await world({ answer: answering() });
    const services = new HandHeld({ 'orders.shop': orders() });
    await using outbound = await calling(w, services);
    using app = await dialPlain(outbound.address);
    app.send(get('orders.shop'));
    await app.hears('no_endpoints');
    services.tell({ 'orders.shop': orders(w.inbound) });
    app.send(get('orders.shop'));
    await app.hears(OK);
    services.tell({ 'orders.shop': orders() });
    app.received = '';
    app.send(get('orders.shop'));
    await app.hears('no_endpoints');
  });

  it('go on with a new SVID of ours', async () => {
    await using w = await world();
    await using outbound = await calling(w, new HandHeld({ 'orders.shop': orders(w.inbound) }));
    using app = await dialPlain(outbound.address);
    for (let i = 0; i < 3; i++) {
      app.received = '';
      app.send(get('orders.shop'));
      await app.hears(OK);
      w.web.publish((await credentialsFor(w.ca, WEB)).current!);
    }
  });
});

/** A request that waits for its answer. */
async function began(address: string, http2: boolean) {
  if (http2) {
    const session = await openPlain(address);
    const answer = ask(session, { ':path': '/a', ':authority': 'orders.shop' });
    return { status: async () => (await answer).status, end: () => session.destroy() };
  }
  const app = await dialPlain(address);
  app.send(get('orders.shop'));
  const status = async () => Number(/^HTTP\/1\.1 (\d+)/.exec(await app.hears('\r\n\r\n'))?.[1]);
  return { status, end: () => app[Symbol.dispose]() };
}

/** Calls one after the other, each of which has to be answered well. @returns how many */
async function calls(address: string, http2: boolean, over: () => boolean): Promise<number> {
  let count = 0;
  const session: ClientHttp2Session | null = http2 ? await openPlain(address) : null;
  using app = http2 ? null : await dialPlain(address);
  while (!over()) {
    if (session !== null) {
      const answer = await ask(session, { ':path': '/a', ':authority': 'orders.shop' });
      assert.equal(answer.status, 200, answer.body);
    } else if (app !== null) {
      app.received = '';
      app.send(get('orders.shop'));
      await app.hears('\r\n\r\nok');
      assert.match(app.received, /^HTTP\/1\.1 200/);
    }
    count++;
  }
  session?.destroy();
  return count;
}
