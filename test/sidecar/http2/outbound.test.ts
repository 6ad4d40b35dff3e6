import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ServerHttp2Stream, sensitiveHeaders } from 'node:http2';
import { createServer } from 'node:tls';
import {
  CANCEL,
  data,
  END_HEADERS,
  END_STREAM,
  FramePeer,
  headers,
  PREFACE,
  request,
  reset,
  settings,
} from '../../support/http2-frames.ts';
import { world } from '../inbound/world.ts';
import { pair, upstream } from '../outbound/world.ts';
import { dialPlain, portOf, until } from '../sockets.ts';
import { credentialsFor, ORDERS, svid, WEB } from '../support.ts';
import { answerTo, ask, echo, Http2App, openPlain } from './world.ts';

const h2c = (app: Http2App) => ({
  inbound: { app: { host: '127.0.0.1', port: app.port, h2c: true as const } },
});

describe('HTTP/2 outbound: what an app may speak', () => {
  it('HTTP/2 with prior knowledge and HTTP/1.1 on one port', async () => {
    await using p = await pair();
    const session = await openPlain(p.outbound.address);
    assert.equal((await ask(session, { ':path': '/a' })).body, 'ok');
    using client = await dialPlain(p.outbound.address);
    client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    await client.hears('ok');
    session.destroy();
  });

  it('the first bytes may come one by one', async () => {
    await using p = await pair();
    const { socket } = await dialPlain(p.outbound.address);
    using peer = new FramePeer(socket);
    // it would come before our own
    peer.acknowledges = false;
    for (const byte of Buffer.concat([PREFACE, settings(), headers(1, request('/a'))])) {
      peer.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => peer.isWhole(1));
    assert.equal(peer.bodyOf(1), 'ok');
  });

  it('a request may come whole with the first bytes of its connection, and one that is cut there is not taken for whole', async () => {
    await using app = await Http2App.start();
    await using p = await pair(h2c(app));
    const { socket } = await dialPlain(p.outbound.address);
    using peer = new FramePeer(socket);
    peer.send(
      Buffer.concat([
        ...[PREFACE, settings()],
        ...[headers(1, request('/whole', 'POST'), END_HEADERS), data(1, 'hello', END_STREAM)],
        ...[headers(3, request('/cut', 'POST'), END_HEADERS), data(3, 'hel'), reset(3, CANCEL)],
        ...[headers(5, request('/empty', 'POST'), END_HEADERS), data(5, '', END_STREAM)],
      ]),
    );
    await until(() => peer.isWhole(1) && peer.isWhole(5));
    assert.deepEqual([peer.bodyOf(1), peer.bodyOf(5), peer.isWhole(3)], ['hello', '', false]);
  });

  for (const [what, first] of [
    ['a preface that goes wrong at its end', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\rX'],
    ['HTTP/2 in a request line', 'PRI * HTTP/2.0\r\nHost: orders\r\n\r\n'],
    ['a method that begins alike', 'PRIVATE * HTTP/2.0\r\n\r\n'],
  ] as const)
    it(`${what} is HTTP/1.1, and refused`, async () => {
      await using p = await pair();
      using client = await dialPlain(p.outbound.address);
      client.send(first);
      assert.match(await client.ends(), /^HTTP\/1\.1 (?:400|505)/);
    });

  it('a method that begins like a preface waits for no more than it needs', async () => {
    await using p = await pair();
    using client = await dialPlain(p.outbound.address);
    client.send('P');
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.send('OST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 0\r\n\r\n');
    await client.hears('ok');
  });

  it('a connection that says nothing is ended in time', async () => {
    await using p = await pair({ outbound: { limits: { headMs: 200 } } });
    using silent = await dialPlain(p.outbound.address);
    using half = await dialPlain(p.outbound.address);
    half.send('PRI * HTTP');
    await silent.ends();
    await half.ends();
    assert.equal(p.outbound.connections, 0);
  });
});

describe('HTTP/2 outbound: to the upstream', () => {
  it('by HTTP/2 where its sidecar speaks it, one connection for all streams', async () => {
    await using app = await Http2App.start();
    await using p = await pair(h2c(app));
    const session = await openPlain(p.outbound.address);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        ask(session, { ':path': '/a', ':method': 'POST' }, `body ${i}`, { 'x-sum': `${i}` }),
      ),
    );
    assert.deepEqual(
      answers.map(({ body, trailers }) => [body, trailers?.['x-sum']]),
      answers.map((_, i) => [`body ${i}`, `${i}`]),
    );
    assert.deepEqual([p.inbound.connections, app.sessions.length], [1, 1]);
    assert.equal(app.requests[0]!.fields['x-signet-caller'], WEB);
    session.destroy();
  });

  it('takes away the app’s own words in our name', async () => {
    await using app = await Http2App.start();
    await using p = await pair(h2c(app));
    const session = await openPlain(p.outbound.address);
    await ask(session, {
      ':path': '/a',
      'x-signet-caller': 'x',
      x_signet_user: 'y',
      'x-forwarded-client-cert': 'z',
    });
    const { fields } = app.requests[0]!;
    assert.equal(fields['x-signet-caller'], WEB);
    assert.deepEqual([fields['x_signet_user'], fields['x-forwarded-client-cert']], [undefined, undefined]);
    session.destroy();
  });

  it('what the caller wants kept out of tables stays out of ours', async () => {
    await using app = await Http2App.start();
    await using p = await pair(h2c(app));
    const session = await openPlain(p.outbound.address);
    await ask(session, { ':path': '/a', 'x-secret': 'abc', [sensitiveHeaders]: ['x-secret'] });
    const { fields } = app.requests[0]!;
    assert.deepEqual(Object.getOwnPropertyDescriptor(fields, sensitiveHeaders)!.value, ['x-secret']);
    session.destroy();
  });

  it('by HTTP/1.1 where its sidecar speaks nothing else, and remembers it', async () => {
    await using w = await world();
    const { key, certChainPem, bundlePem } = w.orders.current!;
    let connections = 0;
    const old = createServer(
      {
        key: key.export({ type: 'pkcs8', format: 'pem' }),
        cert: certChainPem,
        ca: bundlePem,
        requestCert: true,
        ALPNProtocols: ['http/1.1'],
      },
      (socket) => {
        socket.on('error', () => {});
        socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold'));
      },
    ).listen(0, '127.0.0.1');
    old.on('connection', () => connections++);
    await once(old, 'listening');
    const { port } = old.address() as { port: number };
    await using p = await pair({
      inbound: { ca: w.ca },
      outbound: { upstreams: [upstream('orders', [port])] },
    });
    const session = await openPlain(p.outbound.address);
    for (let i = 0; i < 5; i++) assert.equal((await ask(session, { ':path': '/a' })).body, 'old');
    // one that found out, one for all the rest
    assert.equal(connections, 2);
    session.destroy();
    old.close();
  });

  it('sends nothing to a server that may not answer for the name', async () => {
    await using app = await Http2App.start();
    await using p = await pair({
      ...h2c(app),
      outbound: { upstreams: [] },
    });
    void p;
    await using q = await pair({
      inbound: { ca: p.ca, app: { host: '127.0.0.1', port: app.port, h2c: true } },
      outbound: { upstreams: [upstream('orders', [portOf(p.inbound.address)], [`${ORDERS}-other`])] },
    });
    const session = await openPlain(q.outbound.address);
    const answer = await ask(session, { ':path': '/a', ':method': 'POST' }, 'secret');
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [502, 'upstream_identity']);
    assert.equal(app.requests.length, 0);
    session.destroy();
  });

  it('tells of an upstream that refuses our certificate', async () => {
    await using w = await world();
    const stranger = await pair({
      outbound: { upstreams: [upstream('orders', [portOf(w.inbound.address)])] },
    });
    const trusting = await credentialsFor(stranger.ca, WEB);
    trusting.publish({ ...trusting.current!, bundlePem: w.ca.root.pem });
    await using q = await pair({
      outbound: { credentials: trusting, upstreams: [upstream('orders', [portOf(w.inbound.address)])] },
    });
    const session = await openPlain(q.outbound.address);
    const answer = await ask(session, { ':path': '/a' });
    assert.equal(answer.status, 502);
    assert.match(answer.body, /refused our certificate/);
    session.destroy();
    await stranger[Symbol.asyncDispose]();
  });

  it('503 while every connection is full', async () => {
    const held: ServerHttp2Stream[] = [];
    await using app = await Http2App.start((stream) => void held.push(stream), {
      settings: { maxConcurrentStreams: 1 },
    });
    await using p = await pair(h2c(app));
    const session = await openPlain(p.outbound.address);
    const busy = [ask(session, { ':path': '/a' })];
    await until(() => held.length === 1);
    for (let i = 1; i < 16; i++) {
      busy.push(ask(session, { ':path': '/a' }));
      await until(() => held.length === i + 1);
    }
    const answer = await ask(session, { ':path': '/a' });
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [503, 'app_busy']);
    for (const stream of held) {
      stream.respond({ ':status': 200 });
      stream.end();
    }
    assert.ok((await Promise.all(busy)).every(({ status }) => status === 200));
    session.destroy();
  });
});

describe('HTTP/2 outbound: changes under way', () => {
  it('a body that turns out to be empty before there is a connection for it is whole', async () => {
    await using app = await Http2App.start();
    await using p = await pair(h2c(app));
    const session = await openPlain(p.outbound.address);
    const { status, body } = await ask(session, { ':path': '/a', ':method': 'POST' }, '');
    assert.deepEqual([status, body], [200, '']);
    session.destroy();
  });

  it('a new SVID: streams under way end on the old connection, new ones take a new one, none is lost', async () => {
    const held: ServerHttp2Stream[] = [];
    await using app = await Http2App.start((stream, fields) => {
      if (fields[':path'] === '/hold') {
        stream.respond({ ':status': 200 });
        held.push(stream);
      } else echo(stream);
    });
    await using p = await pair(h2c(app));
    const session = await openPlain(p.outbound.address);
    const long = answerTo(session.request({ ':path': '/hold', ':authority': 'orders' }));
    await until(() => held.length === 1);
    p.web.publish(await svid(p.ca.issuer, p.ca.root, WEB));
    assert.equal((await ask(session, { ':path': '/a', ':method': 'POST' }, 'x')).status, 200);
    assert.equal(p.inbound.connections, 2);
    held[0]!.end('held');
    assert.equal((await long).body, 'held');
    await until(() => p.inbound.connections === 1);
    session.destroy();
  });

  it('loses no stream while both sides rotate every 40 ms under load', async function () {
    this.timeout(30_000);
    await using app = await Http2App.start();
    await using p = await pair(h2c(app));
    const sessions = await Promise.all([openPlain(p.outbound.address), openPlain(p.outbound.address)]);
    let [answered, stop] = [0, false];
    const failures: string[] = [];
    const caller = async (i: number) => {
      while (!stop) {
        const body = `body ${i}`;
        const answer = await ask(sessions[i % 2]!, { ':path': '/a', ':method': 'POST' }, body);
        answered++;
        if (answer.status !== 200 || answer.body !== body || answer.code !== 0)
          failures.push(`${answer.status} ${answer.code} ${answer.body}`);
      }
    };
    const callers = Array.from({ length: 16 }, (_, i) => caller(i));
    for (let i = 0; i < 60; i++) {
      const [holder, id] = i % 2 === 0 ? ([p.web, WEB] as const) : ([p.orders, ORDERS] as const);
      holder.publish(await svid(p.ca.issuer, p.ca.root, id));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    stop = true;
    await Promise.all(callers);
    assert.deepEqual(failures, []);
    assert.ok(answered > 100, `${answered}`);
    for (const session of sessions) session.destroy();
  });

  it('loses no stream when one of two addresses drains under load', async function () {
    this.timeout(30_000);
    await using app = await Http2App.start();
    const to = { host: '127.0.0.1', port: app.port, h2c: true as const };
    await using one = await world({ app: to });
    await using two = await world({ app: to, ca: one.ca });
    await using p = await pair({
      inbound: { ca: one.ca },
      outbound: {
        upstreams: [upstream('orders', [portOf(one.inbound.address), portOf(two.inbound.address)])],
      },
    });
    const session = await openPlain(p.outbound.address);
    let [answered, stop] = [0, false];
    const failures: string[] = [];
    const caller = async () => {
      while (!stop) {
        const answer = await ask(session, { ':path': '/a', ':method': 'POST' }, 'body');
        answered++;
        if (answer.status !== 200 || answer.body !== 'body') failures.push(`${answer.status} ${answer.body}`);
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    await until(() => answered > 200);
    assert.equal(await one.inbound.close({ deadlineMs: 5_000 }), 0);
    const before = answered;
    await until(() => answered > before + 200);
    stop = true;
    await Promise.all(callers);
    assert.deepEqual(failures, []);
    session.destroy();
  });

  it('an upstream that goes away with a stream it had not begun: the stream goes elsewhere, with its body', async () => {
    await using good = await Http2App.start();
    await using p = await pair(h2c(good));
    // an upstream that says, after the request has come, that it never looked at it
    const { key, certChainPem, bundlePem } = p.orders.current!;
    let asked = 0;
    const rude = createServer(
      {
        key: key.export({ type: 'pkcs8', format: 'pem' }),
        cert: certChainPem,
        ca: bundlePem,
        requestCert: true,
        ALPNProtocols: ['h2'],
      },
      (socket) => {
        const peer = new FramePeer(socket, true);
        peer.send(settings());
        peer.onFrame = ({ type }) => {
          if (type !== 1) return;
          asked++;
          setTimeout(() => peer.send(goawayBefore(1)), 30);
        };
      },
    ).listen(0, '127.0.0.1');
    await once(rude, 'listening');
    const { port } = rude.address() as { port: number };
    const both = upstream('orders', [port, portOf(p.inbound.address)]);
    await using q = await pair({
      inbound: { ca: p.ca },
      outbound: { credentials: p.web, upstreams: [both] },
    });
    const session = await openPlain(q.outbound.address);
    for (let i = 0; i < 4; i++) {
      const answer = await ask(session, { ':path': '/a', ':method': 'POST' }, `body ${i}`);
      assert.deepEqual([answer.status, answer.body], [200, `body ${i}`]);
    }
    assert.ok(asked > 0, 'the rude one was never asked');
    session.destroy();
    rude.close();
  });
});

function goawayBefore(stream: number): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(stream - 1, 0);
  return Buffer.concat([Buffer.of(0, 0, 8, 7, 0, 0, 0, 0, 0), payload]);
}
