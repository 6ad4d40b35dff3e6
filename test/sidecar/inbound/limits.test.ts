import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { ask, openSession } from '../http2/world.ts';
import { dialTls, until } from '../sockets.ts';
import { answering, OK, problemIn, world } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';
const SLOWLY = 150;

describe('inbound: limits', () => {
  it('408 for a head that drips in, counted from its first byte', async () => {
    await using w = await world({ limits: { headMs: 300, idleMs: 5_000 } });
    using client = await w.dial();
    client.send(GET);
    await client.hears(OK);
    const start = Date.now();
    const drip = setInterval(() => client.send('X-A: b\r\n'), 50);
    client.send('GET /a HTTP/1.1\r\n');
    const problem = problemIn(await client.ends());
    clearInterval(drip);
    assert.equal(problem.status, 408);
    assert.ok(Date.now() - start < 2_000);
    assert.equal(w.app.connections[0]!.received.split('GET').length, 2);
  });

  it('closes a new connection that says nothing, and an idle one, without a word', async () => {
    await using w = await world({ limits: { headMs: 200, idleMs: 200 } });
    using mute = await w.dial();
    assert.equal(await mute.ends(), '');
    using idle = await w.dial();
    idle.send(GET);
    assert.equal(await idle.ends(), OK);
  });

  it('408 for a body that stops, and the app’s connection is cut', async () => {
    await using w = await world({ limits: { stallMs: 200 }, answer: () => {} });
    using client = await w.dial();
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 9\r\n\r\nabc');
    assert.equal(problemIn(await client.ends()).status, 408);
    await until(() => w.app.connections[0]!.ended || w.app.connections[0]!.socket.destroyed);
  });

  it('504 for an app that does not answer in time, and the connection goes on', async () => {
    await using w = await world({ limits: { responseMs: 200 }, answer: () => {} });
    using client = await w.dial();
    client.send(GET);
    assert.deepEqual(problemIn(await client.hears('app_timeout')).status, 504);
    client.send(GET);
    await client.hears((text) => text.split('app_timeout').length === 3);
  });

  it('cuts an answer that stops in its middle', async () => {
    await using w = await world({
      limits: { stallMs: 200 },
      answer: answering('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'),
    });
    using client = await w.dial();
    client.send(GET);
    assert.match(await client.ends(), /abc$/);
  });

  it('ends an exchange that as a whole takes too long, though bytes move', async () => {
    await using w = await world({
      limits: { wholeMs: 400, stallMs: 5_000 },
      answer: (seen) => {
        seen.socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const timer = setInterval(() => seen.socket.write('tick'), 50);
        seen.socket.on('close', () => clearInterval(timer));
      },
    });
    using client = await w.dial();
    const start = Date.now();
    client.send(GET);
    await client.ends();
    assert.ok(Date.now() - start < 2_000);
  });

  for (const [name, code, head] of [
    [
      '431 for more header lines',
      'too_many_headers',
      `GET /a HTTP/1.1\r\nHost: orders\r\n${'X-A: b\r\n'.repeat(100)}\r\n`,
    ],
    [
      '431 for a larger head',
      'head_too_large',
      `GET /a HTTP/1.1\r\nHost: orders\r\nX-A: ${'b'.repeat(17_000)}\r\n\r\n`,
    ],
    [
      '414 for a longer target',
      'target_too_long',
      `GET /${'a'.repeat(8_192)} HTTP/1.1\r\nHost: orders\r\n\r\n`,
    ],
  ] as const)
    it(`${name} than is accepted, and the connection ends`, async () => {
      await using w = await world();
      using client = await w.dial();
      client.send(head);
      const problem = problemIn(await client.ends());
      assert.deepEqual([problem.status, problem['code']], [Number(name.slice(0, 3)), code]);
      assert.equal(w.app.received, '');
    });

  it('413 for a body larger than is accepted: by its length, and as its chunks announce it', async () => {
    await using w = await world({ limits: { bodyBytes: 10 }, answer: answering() });
    const sizes = [
      ['Content-Length: 11\r\n\r\n', 413],
      ['Content-Length: 10\r\n\r\n0123456789', 200],
      ['Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n', 413],
      ['Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n4\r\nabcd\r\n0\r\n\r\n', 200],
      ['Transfer-Encoding: chunked\r\n\r\nb\r\nabcdefabcde\r\n0\r\n\r\n', 413],
    ] as const;
    for (const [rest, status] of sizes) {
      using client = await w.dial();
      client.send(`POST /a HTTP/1.1\r\nHost: orders\r\n${rest}`);
      await client.hears(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  it('takes a head as large as can be set, in any pieces, behind another request, and by HTTP/2', async () => {
    const limits = { head: { headBytes: 65_536, fields: 256, targetBytes: 65_536 } };
    await using w = await world({ limits });
    const start = 'GET /a HTTP/1.1\r\nHost: orders\r\nX-A: ';
    const head = (bytes: number) => `${start}${'a'.repeat(bytes - start.length - 4)}\r\n\r\n`;
    using whole = await w.dial();
    whole.send(GET + head(65_536) + head(60_000));
    await whole.hears((text) => text.split(OK).length === 4);
    using pieces = await w.dial();
    for (let at = 0; at < 65_536; at += 5_000) {
      pieces.send(head(65_536).slice(at, at + 5_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await pieces.hears(OK);
    pieces.send(head(65_537));
    assert.equal(problemIn((await pieces.ends()).slice(OK.length))['code'], 'head_too_large');
    using lines = await w.dial();
    lines.send(`GET /${'p'.repeat(40_000)} HTTP/1.1\r\nHost: orders\r\n${'X: 1\r\n'.repeat(255)}\r\n`);
    await lines.hears(OK);
    const session = await openSession(w.inbound.address, w.web);
    const more = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'a'.repeat(200)]));
    assert.equal((await ask(session, { ':path': '/a', ...more })).status, 200);
    session.destroy();
  });

  it('accepts so many connections and no more', async () => {
    await using w = await world({ limits: { connections: 2 } });
    using first = await w.dial();
    using second = await w.dial();
    using third = await w.dial();
    third.send(GET);
    assert.equal(problemIn(await third.ends())['code'], 'too_many_connections');
    first.send(GET);
    await first.hears(OK);
    second.socket.destroy();
    await until(() => w.inbound.connections === 1);
    using fourth = await w.dial();
    fourth.send(GET);
    await fourth.hears(OK);
  });

  it('a handshake that stops holds nothing for long', async () => {
    await using w = await world({ limits: { handshakeMs: 200 } });
    const socket = connect(Number(w.inbound.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    await until(() => closed);
  });

  it('a slow caller among quick ones slows only itself', async () => {
    await using w = await world();
    using slow = await dialTls(w.inbound.address, w.web);
    for (const c of GET.slice(0, -1)) slow.send(c);
    using quick = await w.dial();
    const start = Date.now();
    quick.send(GET);
    await quick.hears(OK);
    assert.ok(Date.now() - start < SLOWLY);
    slow.send('\n');
    await slow.hears(OK);
  });
});
