import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:tls';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import { answering, OK, problemIn, world } from '../inbound/world.ts';
import { dialPlain, portOf, until } from '../sockets.ts';
import { authority, clock, credentialsFor, ORDERS, quiet, svid, WEB } from '../support.ts';
import { pair, upstream } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';

describe('outbound: exchanges', () => {
  it('gives the app the answer byte for byte, and the upstream the request', async () => {
    const answer =
      'HTTP/1.1 201 Made it\r\nX-Odd_Name:  v \r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 3\r\n\r\n\0\xff\n';
    await using p = await pair({ inbound: { answer: answering(answer) } });
    using app = await dialPlain(p.outbound.address);
    app.send(
      'POST /a%20b?q HTTP/1.1\r\nHost: orders\r\nX-Any: thing\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n',
    );
    assert.equal(await app.hears('\n\0\xff\n'.slice(1)), answer);
    const sent = `POST /a%20b?q HTTP/1.1\r\nHost: orders\r\nX-Any: thing\r\nTransfer-Encoding: chunked\r\nx-signet-caller: ${WEB}\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n`;
    assert.equal(p.app.received, sent);
  });

  it('takes away the app’s own words in our name', async () => {
    await using p = await pair();
    using app = await dialPlain(p.outbound.address);
    app.send(
      'GET /a HTTP/1.1\r\nHost: orders\r\nX-Signet-Caller: spiffe://example.org/admin\r\nworkload_proof.token: x\r\n\r\n',
    );
    await app.hears(OK);
    assert.equal(p.app.received, `GET /a HTTP/1.1\r\nHost: orders\r\nx-signet-caller: ${WEB}\r\n\r\n`);
  });

  it('lets transformers add headers, each seeing the connection they are for', async () => {
    const sockets = new Set<unknown>();
    const add = (name: string) => (head: { readonly method: string }, to: { readonly socket: unknown }) => {
      sockets.add(to.socket);
      return Buffer.from(`${name}: ${head.method}\r\n`);
    };
    await using p = await pair({ outbound: { transformers: [add('x-one'), add('x-two')] } });
    using app = await dialPlain(p.outbound.address);
    app.send(GET);
    await app.hears(OK);
    assert.match(p.app.received, /x-one: GET\r\nx-two: GET\r\nx-signet-caller/);
    assert.equal(sockets.size, 1);
  });

  it('a denial travels back as it is', async () => {
    await using p = await pair({ inbound: { documents: [] } });
    using app = await dialPlain(p.outbound.address);
    app.send(GET);
    assert.equal(problemIn(await app.hears('decision_id')).status, 403);
  });

  it('a response without end of its own cannot be cut short unseen', async () => {
    await using p = await pair({
      inbound: {
        answer: (seen) => {
          seen.socket.write('HTTP/1.1 200 OK\r\n\r\nhalf');
          setTimeout(() => seen.socket.resetAndDestroy(), 50);
        },
      },
    });
    using app = await dialPlain(p.outbound.address);
    app.send(GET);
    const heard = await app.ends();
    assert.match(heard, /transfer-encoding: chunked.*half/s);
    assert.doesNotMatch(heard, /0\r\n\r\n$/);
  });

  it('what an upstream may not send is not passed on', async () => {
    const ca = await authority();
    const shown = await svid(ca.issuer, ca.root, ORDERS);
    const server = createServer(
      { key: shown.key.export({ type: 'pkcs8', format: 'pem' }), cert: shown.certChainPem },
      (socket) => {
        socket.on('error', () => {});
        socket.on('data', () =>
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
        );
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await using p = await pair({
      outbound: { upstreams: [upstream('orders', [port])], credentials: await credentialsFor(ca, WEB) },
    });
    using app = await dialPlain(p.outbound.address);
    app.send(GET);
    assert.equal(problemIn(await app.hears('"cause"'))['cause'], 'framing_ambiguous');
    server.close();
  });
});

describe('outbound: rotation', () => {
  it('new connections show the new SVID; the old one ends with its exchange', async () => {
    await using p = await pair({ inbound: { answer: () => {} } });
    using waiting = await dialPlain(p.outbound.address);
    waiting.send(GET);
    await until(() => p.app.received !== '');
    const serials = () => p.audit.events.map((event) => event['serial']);
    p.web.publish(await svid(p.ca.issuer, p.ca.root, WEB));
    using fresh = await dialPlain(p.outbound.address);
    fresh.send(GET);
    await until(() => p.app.connections.length === 2);
    assert.equal(new Set(serials()).size, 2);
    assert.equal(p.inbound.connections, 2);
    for (const { socket } of p.app.connections) socket.write(OK);
    await waiting.hears(OK);
    await fresh.hears(OK);
    await until(() => p.inbound.connections === 1);
  });

  it('loses no request while both sides rotate every 40 ms under load', async () => {
    await using p = await pair();
    let [sent, answered, stop] = [0, 0, false];
    const bodies = ['', 'x'.repeat(100_000)];
    const caller = async (_: unknown, i: number) => {
      using app = await dialPlain(p.outbound.address);
      while (!stop) {
        const body = bodies[(i + sent) % 2]!;
        app.received = '';
        app.send(`PUT /a HTTP/1.1\r\nHost: orders\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        sent++;
        await app.hears((text) => text.endsWith('ok') || text.includes('problem'));
        if (app.received === OK) answered++;
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    let rotations = 0;
    for (; rotations < 30 || sent <= 300; rotations++) {
      const holder = rotations % 2 === 0 ? p.web : p.orders;
      holder.publish(await svid(p.ca.issuer, p.ca.root, rotations % 2 === 0 ? WEB : ORDERS));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    stop = true;
    await Promise.all(callers);
    assert.equal(answered, sent);
    assert.ok(new Set(p.audit.events.map((event) => event['serial'])).size > 5);
  });

  it('loses no request when one of two addresses drains under load', async () => {
    const ca = await authority();
    await using other = await world({ ca });
    await using p = await pair({ inbound: { ca } });
    const ports = [portOf(p.inbound.address), portOf(other.inbound.address)];
    await using outbound = await createOutbound({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: [upstream('orders', ports)],
      credentials: p.web,
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    let [sent, answered, stop] = [0, 0, false];
    const caller = async () => {
      using app = await dialPlain(outbound.address);
      while (!stop) {
        app.received = '';
        app.send(GET);
        sent++;
        await app.hears((text) => text.endsWith('ok') || text.includes('problem'));
        if (app.received === OK) answered++;
      }
    };
    const callers = Array.from({ length: 12 }, caller);
    await until(() => p.app.connections.length > 0 && other.app.connections.length > 0 && answered > 200);
    assert.equal(await p.inbound.close({ deadlineMs: 5_000 }), 0);
    const before = answered;
    await until(() => answered > before + 200);
    stop = true;
    await Promise.all(callers);
    assert.equal(answered, sent);
  });
});
