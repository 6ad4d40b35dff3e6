import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer as createPlainServer } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { freePort } from '../../../harness/port.ts';
import { createLog } from '../../../lib/adapter/log.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound, type OutboundDeps } from '../../../sidecar/outbound/index.ts';
import { RELAY_LIMITS } from '../../../sidecar/relay/index.ts';
import { answering, OK, problemIn, type World, world } from '../inbound/world.ts';
import { dialPlain, portOf, until } from '../sockets.ts';
import { type Authority, authority, clock, credentialsFor, ORDERS, quiet, svid, WEB } from '../support.ts';
import { upstream } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';
const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno';

async function outboundTo(ca: Authority, ports: readonly number[], more: Partial<OutboundDeps> = {}) {
  const outbound = await createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: [upstream('orders', ports)],
    credentials: await credentialsFor(ca, WEB),
    clock,
    log: quiet,
    metrics: createMetrics(),
    ...more,
  });
  return { ...outbound, [Symbol.asyncDispose]: async () => void (await outbound.close({ deadlineMs: 0 })) };
}

/** How many requests an app has received. */
const served = (w: World) => w.app.received.split('GET ').length - 1;
const portsOf = (...worlds: readonly World[]) => worlds.map((w) => portOf(w.inbound.address));

/** Sends so many requests, one after the other; gives the status of each answer. */
async function ask(address: string, times: number, request = GET): Promise<string[]> {
  using app = await dialPlain(address);
  const statuses: string[] = [];
  for (let i = 0; i < times; i++) {
    app.received = '';
    app.send(request);
    const text = await app.hears(
      (heard) => heard.endsWith('ok') || heard.endsWith('no') || heard.endsWith('}'),
    );
    statuses.push(text.slice(9, 12));
  }
  return statuses;
}

/** A log of which the warnings are kept. */
function watched() {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: createLog({ level: 'warn', write: (text) => void lines.push(JSON.parse(text)) }) };
}

/** A TLS server with `id`'s certificate, which does with each request what it is told. */
async function rawUpstream(ca: Authority, id: string, answer: (socket: TLSSocket, count: number) => void) {
  const shown = await svid(ca.issuer, ca.root, id);
  const seen = { requests: 0, connections: 0 };
  const key = shown.key.export({ type: 'pkcs8', format: 'pem' });
  const server = createServer({ key, cert: shown.certChainPem }, (socket) => {
    seen.connections++;
    socket.on('error', () => {});
    socket.on('data', () => answer(socket, ++seen.requests));
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { seen, port, [Symbol.dispose]: () => void server.close() };
}

describe('outbound: several addresses', () => {
  it('takes turns among those with as little under way, and leaves the busy one alone', async () => {
    const ca = await authority();
    await using one = await world({ ca });
    await using two = await world({ ca });
    await using outbound = await outboundTo(ca, portsOf(one, two));
    await ask(outbound.address, 10);
    assert.deepEqual([served(one), served(two)], [5, 5]);
    assert.deepEqual([one.inbound.connections, two.inbound.connections], [1, 1]);
  });

  it('one that hangs gets no second request while others answer', async () => {
    const ca = await authority();
    await using stuck = await world({ ca, answer: () => {} });
    await using live = await world({ ca });
    await using outbound = await outboundTo(ca, portsOf(stuck, live));
    using first = await dialPlain(outbound.address);
    first.send(GET);
    await until(() => served(stuck) + served(live) === 1);
    using second = await dialPlain(outbound.address);
    second.send(GET);
    await until(() => served(stuck) === 1 && first.received + second.received === OK);
    assert.deepEqual(await ask(outbound.address, 10), Array(10).fill('200'));
    assert.equal(served(stuck), 1);
  });

  it('leaves out one that answers 503 five times in a row, and comes back to it', async () => {
    const ca = await authority();
    let answer = UNAVAILABLE;
    await using bad = await world({ ca, answer: (seen) => void seen.socket.write(answer) });
    await using good = await world({ ca });
    const { lines, log } = watched();
    await using outbound = await outboundTo(ca, portsOf(bad, good), { log });
    const statuses = await ask(outbound.address, 30);
    assert.equal(statuses.filter((status) => status === '503').length, 5);
    assert.equal(served(bad), 5);
    const [{ event, code, ms, address } = {}] = lines;
    assert.deepEqual(
      [event, code, ms, address],
      ['upstream_ejected', 'status_503', 1_000, `127.0.0.1:${portOf(bad.inbound.address)}`],
    );
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await ask(outbound.address, 4);
    assert.equal(served(bad), 6);
    assert.equal(lines.at(-1)?.['ms'], 2_000);
    answer = OK;
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    assert.deepEqual(await ask(outbound.address, 4), Array(4).fill('200'));
    assert.equal(served(bad), 8);
  });

  it('never leaves out the last', async () => {
    const ca = await authority();
    const options = { ca, answer: answering(UNAVAILABLE) };
    await using one = await world(options);
    await using two = await world(options);
    const { lines, log } = watched();
    await using outbound = await outboundTo(ca, portsOf(one, two), { log });
    assert.deepEqual(await ask(outbound.address, 30), Array(30).fill('503'));
    assert.equal(served(one) + served(two), 30);
    assert.equal(lines.filter(({ event }) => event === 'upstream_ejected').length, 1);
  });

  it('leaves out, and tells of, one whose certificate may not answer, with nothing sent to it', async () => {
    const ca = await authority();
    using thief = await rawUpstream(ca, 'spiffe://example.org/ns/shop/sa/thief', () => {});
    await using good = await world({ ca });
    const { lines, log } = watched();
    await using outbound = await outboundTo(ca, [thief.port, ...portsOf(good)], { log });
    assert.deepEqual(await ask(outbound.address, 10), Array(10).fill('200'));
    assert.equal(thief.seen.requests, 0);
    assert.deepEqual(
      lines.map(({ event, code }) => [event, code]),
      [
        ['upstream_identity_refused', 'SVID_WRONG_ID'],
        ['upstream_ejected', 'upstream_identity'],
      ],
    );
  });

  it('leaves out one that takes connections and does not speak', async () => {
    const ca = await authority();
    const silent = createPlainServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    await using good = await world({ ca });
    const { lines, log } = watched();
    const limits = { ...RELAY_LIMITS, connectMs: 200 };
    await using outbound = await outboundTo(ca, [port, ...portsOf(good)], { log, limits });
    assert.deepEqual(await ask(outbound.address, 6), Array(6).fill('200'));
    assert.equal(lines[0]?.['code'], 'connect-timeout');
    silent.close();
  });

  const closes = (socket: TLSSocket, count: number) =>
    void (count === 1 ? socket.write(OK) : socket.destroy());
  const retries: readonly [string, string, string][] = [
    ['sends GET again, to another address', GET, '200'],
    ['does not send POST again', 'POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 2\r\n\r\nhi', '502'],
  ];
  for (const [what, request, status] of retries)
    it(`${what}, when a kept connection is closed unanswered`, async () => {
      const ca = await authority();
      using fickle = await rawUpstream(ca, ORDERS, closes);
      await using good = await world({ ca });
      await using outbound = await outboundTo(ca, [fickle.port, ...portsOf(good)]);
      assert.deepEqual(await ask(outbound.address, 2), ['200', '200']);
      assert.deepEqual(await ask(outbound.address, 1, request), [status]);
      assert.deepEqual([fickle.seen.requests, fickle.seen.connections], [2, 1]);
      assert.equal(served(good), status === '200' ? 2 : 1);
    });
});

describe('outbound: several addresses, by HTTP/2', () => {
  it('leaves out one that does not answer in time, five times in a row', async () => {
    const ca = await authority();
    await using stuck = await world({ ca, answer: () => {} });
    await using good = await world({ ca });
    const { lines, log } = watched();
    await using outbound = await outboundTo(ca, portsOf(stuck, good), { log, limits: { responseMs: 200 } });
    const session = connect(`http://${outbound.address}`);
    const statuses: unknown[] = [];
    for (let i = 0; i < 14; i++) statuses.push(await stream(session));
    assert.equal(statuses.filter((status) => status === 504).length, 5);
    assert.deepEqual([lines[0]?.['event'], lines[0]?.['code']], ['upstream_ejected', 'timeout']);
    session.close();
  });

  const stream = async (session: ClientHttp2Session) => {
    const request = session.request({ ':path': '/a', ':authority': 'orders' });
    const [headers] = (await once(request, 'response')) as [{ ':status'?: number }];
    request.resume();
    await once(request, 'close');
    return headers[':status'];
  };

  it('takes turns, and leaves out one whose certificate may not answer', async () => {
    const ca = await authority();
    using thief = await rawUpstream(ca, 'spiffe://example.org/ns/shop/sa/thief', () => {});
    await using one = await world({ ca });
    await using two = await world({ ca });
    const { lines, log } = watched();
    await using outbound = await outboundTo(ca, [thief.port, ...portsOf(one, two)], { log });
    const session = connect(`http://${outbound.address}`);
    for (let i = 0; i < 10; i++) assert.equal(await stream(session), 200);
    assert.equal(thief.seen.requests, 0);
    assert.deepEqual([served(one), served(two)], [5, 5]);
    assert.deepEqual([one.inbound.connections, two.inbound.connections], [1, 1]);
    assert.equal(lines.at(-1)?.['code'], 'upstream_identity');
    session.destroy();
  });

  it('leaves out one that answers 503 five times in a row', async () => {
    const ca = await authority();
    await using bad = await world({ ca, answer: answering(UNAVAILABLE) });
    await using good = await world({ ca });
    await using outbound = await outboundTo(ca, portsOf(bad, good));
    const session = connect(`http://${outbound.address}`);
    const statuses: unknown[] = [];
    for (let i = 0; i < 20; i++) statuses.push(await stream(session));
    assert.equal(statuses.filter((status) => status === 503).length, 5);
    assert.equal(served(bad), 5);
    session.destroy();
  });
});

describe('outbound: bounds of an upstream', () => {
  it('holds so many connections, lets so many requests wait, and refuses the rest', async () => {
    const ca = await authority();
    await using orders = await world({ ca, answer: () => {} });
    const limits = { ...RELAY_LIMITS, poolConnections: 1, poolWaiting: 1 };
    await using outbound = await outboundTo(ca, portsOf(orders), { limits });
    using first = await dialPlain(outbound.address);
    using second = await dialPlain(outbound.address);
    using third = await dialPlain(outbound.address);
    first.send(GET);
    await until(() => served(orders) === 1);
    second.send(GET);
    await new Promise((resolve) => setTimeout(resolve, 50));
    third.send(GET);
    const problem = problemIn(await third.hears('too_many_requests'));
    assert.deepEqual([problem.status, problem['code']], [503, 'upstream_busy']);
    orders.app.connections[0]?.socket.write(OK);
    await first.hears(OK);
    await until(() => served(orders) === 2);
    orders.app.connections[0]?.socket.write(OK);
    await second.hears(OK);
    assert.equal(orders.inbound.connections, 1);
  });

  it('lets a request wait no longer than for a connection, and forgets one whose caller has gone', async () => {
    const ca = await authority();
    await using orders = await world({ ca, answer: () => {} });
    const limits = { ...RELAY_LIMITS, poolConnections: 1, poolWaiting: 2, connectMs: 500 };
    await using outbound = await outboundTo(ca, portsOf(orders), { limits });
    using first = await dialPlain(outbound.address);
    first.send(GET);
    await until(() => served(orders) === 1);
    using gone = await dialPlain(outbound.address);
    gone.send(GET);
    using late = await dialPlain(outbound.address);
    late.send(GET);
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone.socket.destroy();
    assert.equal(problemIn(await late.hears('too_many_requests')).status, 503);
    orders.app.connections[0]?.socket.write(OK);
    await first.hears(OK);
    first.received = '';
    first.send(GET);
    await until(() => served(orders) === 2);
  });

  it('serves who waits when the connection it waited for is lost', async () => {
    const ca = await authority();
    using fickle = await rawUpstream(ca, ORDERS, (socket, count) => {
      if (count === 1) setTimeout(() => socket.destroy(), 100);
      else socket.write(OK);
    });
    const limits = { ...RELAY_LIMITS, poolConnections: 1, poolWaiting: 1 };
    await using outbound = await outboundTo(ca, [fickle.port], { limits });
    using first = await dialPlain(outbound.address);
    first.send(GET);
    await until(() => fickle.seen.requests === 1);
    assert.deepEqual(await ask(outbound.address, 1), ['200']);
    assert.equal(problemIn(await first.hears('"cause"'))['code'], 'upstream_closed');
  });
});

describe('outbound: names', () => {
  const named = (port: number) => ({
    ...upstream('orders', []),
    addresses: [{ host: 'orders.internal', port }],
  });

  it('are resolved again and again; what is under way at an old address is finished', async () => {
    const ca = await authority();
    const port = await freePort();
    await using one = await world({ ca, answer: () => {}, listen: { host: '127.0.0.1', port } });
    await using two = await world({ ca, listen: { host: '127.0.0.2', port } });
    let found: readonly string[] | Error = ['127.0.0.1'];
    const lookup = async () => {
      if (found instanceof Error) throw found;
      return found;
    };
    const { lines, log } = watched();
    const upstreams = [named(port)];
    await using outbound = await outboundTo(ca, [], { upstreams, lookup, lookupMs: 100, log });
    await new Promise((resolve) => setTimeout(resolve, 50));
    using old = await dialPlain(outbound.address);
    old.send(GET);
    await until(() => served(one) === 1);
    found = ['127.0.0.2'];
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(await ask(outbound.address, 3), Array(3).fill('200'));
    assert.deepEqual([served(one), served(two)], [1, 3]);
    one.app.connections[0]?.socket.write(OK);
    await old.hears(OK);
    await until(() => one.inbound.connections === 0);

    found = Object.assign(new Error('no'), { code: 'EAI_AGAIN' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(await ask(outbound.address, 3), Array(3).fill('200'));
    found = [];
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual(await ask(outbound.address, 1), ['200']);
    assert.deepEqual(
      lines.map(({ event, code }) => [event, code]),
      [['upstream_lookup_failed', 'EAI_AGAIN']],
    );
  });

  it('are resolved at once when an address cannot be reached', async () => {
    const ca = await authority();
    const port = await freePort();
    await using live = await world({ ca, listen: { host: '127.0.0.2', port } });
    let found = ['127.0.0.1'];
    const upstreams = [named(port)];
    await using outbound = await outboundTo(ca, [], { upstreams, lookup: async () => found });
    await new Promise((resolve) => setTimeout(resolve, 50));
    found = ['127.0.0.2'];
    assert.deepEqual(await ask(outbound.address, 1), ['502']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual(await ask(outbound.address, 1), ['200']);
    assert.equal(served(live), 1);
  });

  it('that cannot be resolved are told by the cause', async () => {
    const ca = await authority();
    const upstreams = [{ ...upstream('orders', []), addresses: [{ host: 'nowhere.invalid', port: 1 }] }];
    await using outbound = await outboundTo(ca, [], { upstreams });
    using app = await dialPlain(outbound.address);
    app.send(GET);
    const problem = problemIn(await app.hears('"cause"'));
    assert.equal(problem['code'], 'upstream_unreachable');
    assert.match(String(problem['cause']), /^(ENOTFOUND|EAI_AGAIN)$/);
  });
});
