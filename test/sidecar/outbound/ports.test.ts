import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import { OK } from '../inbound/world.ts';
import { dialPlain, portOf } from '../sockets.ts';
import { clock, quiet } from '../support.ts';
import { type Pair, pair, upstream } from './world.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** An outbound proxy with a local port for `orders`, and none for `stock`, which leads nowhere. */
async function withPort(p: Pair, listen = LOOPBACK) {
  return await createOutbound({
    listen: LOOPBACK,
    upstreams: [
      { ...upstream('orders', [portOf(p.inbound.address)]), listen },
      upstream('stock', [portOf(p.inbound.address)]),
    ],
    credentials: p.web,
    clock,
    log: quiet,
    metrics: createMetrics(),
  });
}

describe("outbound: an upstream's own local port", () => {
  for (const host of ['orders', 'stock', 'elsewhere.example.org:80', '127.0.0.1:15010'])
    it(`leads to it with Host: ${host}, which is passed on as it is`, async () => {
      await using p = await pair();
      await using outbound = await withPort(p);
      using app = await dialPlain(outbound.ports.get('orders')!);
      app.send(`GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      await app.hears(OK);
      assert.match(p.app.received, new RegExp(`^GET /a HTTP/1.1\r\nHost: ${host}\r\n`));
    });

  it('is one of the ways to the same connections', async () => {
    await using p = await pair();
    await using outbound = await withPort(p);
    for (const address of [outbound.address, outbound.ports.get('orders')!]) {
      using app = await dialPlain(address);
      app.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
      await app.hears(OK);
    }
    assert.equal(p.inbound.connections, 1);
  });

  it('is drained with the proxy', async () => {
    await using p = await pair({ inbound: { answer: () => {} } });
    await using outbound = await withPort(p);
    const port = outbound.ports.get('orders')!;
    using app = await dialPlain(port);
    app.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n');
    while (p.app.received === '') await new Promise((resolve) => setTimeout(resolve, 5));
    const closing = outbound.close({ deadlineMs: 5_000 });
    const late = connect({ host: '127.0.0.1', port: portOf(port) });
    await once(late, 'error');
    for (const { socket } of p.app.connections) socket.write(OK);
    await app.hears(/^connection: close\r\n/im);
    assert.equal(await closing, 0);
  });

  it('that another holds is told, and nothing is left listening', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    await using p = await pair();
    await assert.rejects(withPort(p, { host: '127.0.0.1', port }), { code: 'EADDRINUSE' });
    holder.close();
  });
});
