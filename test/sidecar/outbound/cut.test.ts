import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from 'node:net';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import { answering, type World, world } from '../inbound/world.ts';
import { dialPlain, portOf } from '../sockets.ts';
import { type Authority, authority, clock, credentialsFor, ORDERS, quiet, WEB } from '../support.ts';
import { upstream } from './world.ts';

/** Before ORDERS: resets the first `cuts` connections, as a process does that goes away, and lets the others through. */
async function cutter(to: World, cuts: number) {
  const seen = { connections: 0 };
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (seen.connections++ < cuts) {
      socket.once('data', () => socket.resetAndDestroy());
      return;
    }
    const other = connectPlain(portOf(to.inbound.address), '127.0.0.1');
    for (const one of [socket, other]) open.add(one.on('error', () => {}));
    socket.pipe(other).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    seen,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function outboundTo(ca: Authority, port: number, ids = [ORDERS]) {
  const outbound = await createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: [upstream('orders', [port], ids)],
    credentials: await credentialsFor(ca, WEB),
    clock,
    log: quiet,
    metrics: createMetrics(),
  });
  return { ...outbound, [Symbol.asyncDispose]: async () => void (await outbound.close({ deadlineMs: 0 })) };
}

async function overHttp1(address: string): Promise<string> {
  using app = await dialPlain(address);
  app.send('POST /a HTTP/1.1\r\nHost: orders\r\ncontent-length: 2\r\n\r\nhi');
  return (await app.hears(/\r\n\r\n./)).slice(9, 12);
}

async function overHttp2(address: string): Promise<string> {
  const session = connect(`http://${address}`);
  const fields = { ':method': 'POST', ':path': '/a', ':authority': 'orders', 'content-length': '2' };
  const stream = session.request(fields).end('hi');
  const [headers] = await once(stream, 'response');
  stream.resume();
  await once(stream, 'close');
  session.destroy();
  return String(headers[':status']);
}

for (const [protocol, ask] of [
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
] as const) {
  describe(`outbound: one address, whose process goes away, by ${protocol}`, () => {
    it('is asked once more when it cuts a connection before anything was sent', async () => {
      const ca = await authority();
      await using orders = await world({ ca, answer: answering() });
      await using cut = await cutter(orders, 1);
      await using outbound = await outboundTo(ca, cut.port);
      assert.equal(await ask(outbound.address), '200');
      assert.equal(cut.seen.connections, 2);
    });

    it('is asked twice for each request and no more', async () => {
      const ca = await authority();
      await using orders = await world({ ca, answer: answering() });
      await using cut = await cutter(orders, 3);
      await using outbound = await outboundTo(ca, cut.port);
      assert.equal(await ask(outbound.address), '502');
      assert.equal(cut.seen.connections, 2);
      assert.equal(await ask(outbound.address), '200');
      assert.equal(cut.seen.connections, 4);
    });

    it('is not asked again when its identity was refused', async () => {
      const ca = await authority();
      await using orders = await world({ ca, answer: answering() });
      await using cut = await cutter(orders, 0);
      await using outbound = await outboundTo(ca, cut.port, ['spiffe://example.org/ns/shop/sa/stock']);
      assert.equal(await ask(outbound.address), '502');
      assert.equal(cut.seen.connections, 1);
    });
  });
}
