import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { WebSocketServer } from 'ws';
import { CANCEL, data, END_HEADERS, type FramePeer, headers, reset } from '../../support/http2-frames.ts';
import { dialFrames, Http2App, openPlain, openSession } from '../http2/world.ts';
import { answering, OK, type World, type WorldOptions, world } from '../inbound/world.ts';
import { pair } from '../outbound/world.ts';
import { DIGEST, MIB, POURED, peak, pour, ROOM, slowly } from '../pouring.ts';
import { until } from '../sockets.ts';
import { authority, credentialsFor, svid, WEB } from '../support.ts';
import { asking, echoing, switching } from './handshake.ts';

const FIELDS = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':path': '/chat',
  ':authority': 'orders',
  'sec-websocket-version': '13',
};
const CLOSE = (code: number) => `\x88\x02${String.fromCharCode(code >> 8, code & 0xff)}`;
const CONNECTS = { settings: { enableConnectProtocol: true } };

type Asked = { readonly stream: ClientHttp2Stream; readonly status: number; heard: string; ended: boolean };

/** Asks for a WebSocket and keeps what comes of it. */
async function ask(session: ClientHttp2Session, more: Record<string, string> = {}): Promise<Asked> {
  const stream = session.request({ ...FIELDS, ...more }, { endStream: false });
  stream.on('error', () => {});
  const [fields] = (await once(stream, 'response')) as [Record<string, unknown>];
  const asked: Asked = { stream, status: Number(fields[':status']), heard: '', ended: false };
  stream.on('data', (piece: Buffer) => {
    asked.heard += piece.toString('latin1');
  });
  stream.on('end', () => {
    asked.ended = true;
    stream.end();
  });
  return asked;
}

/** A masked frame of zeros, so that its echo reads as it was sent. */
const frame = (text: string) => `\x81${String.fromCharCode(0x80 + text.length)}\0\0\0\0${text}`;
const reasons = (w: World) => w.audit.events.filter(({ type }) => type === 'end').map((end) => end['reason']);

/** An app that accepts each by HTTP/2 and sends back what comes. */
function echo(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 });
  stream.on('data', (piece) => {
    if (!stream.write(piece)) stream.pause();
  });
  stream.on('drain', () => stream.resume());
  stream.on('end', () => stream.end());
}

async function opened(options: WorldOptions = {}) {
  const w = await world({ answer: echoing(), ...options });
  const session = await openSession(w.inbound.address, w.web);
  const asked = await ask(session);
  asked.stream.write(frame('hello'), 'latin1');
  await until(() => asked.heard === frame('hello'));
  return {
    w,
    session,
    asked,
    rest: () => asked.heard.slice(frame('hello').length),
    async [Symbol.asyncDispose]() {
      session.destroy();
      await w[Symbol.asyncDispose]();
    },
  };
}

describe('websocket over HTTP/2: through both sidecars', () => {
  it('to a library in HTTP/1.1: frames of every size come back, others share the connection', async () => {
    const app = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    app.on('connection', (socket, request) => {
      socket.on('error', () => {});
      assert.equal(request.headers['x-signet-caller'], WEB);
      socket.on('message', (message, binary) => socket.send(message, { binary }));
    });
    await once(app, 'listening');
    await using p = await pair({ inbound: { appPort: (app.address() as AddressInfo).port } });
    const session = await openPlain(p.outbound.address);
    const both = await Promise.all([ask(session), ask(session, { 'sec-websocket-protocol': 'chat' })]);
    assert.deepEqual(
      both.map(({ status }) => status),
      [200, 200],
    );
    for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]) {
      const payload = randomBytes(size);
      for (const asked of both) {
        asked.heard = '';
        const long = size < 126 ? Buffer.of(0x80 + size) : size < 65_536 ? Buffer.alloc(3) : Buffer.alloc(9);
        if (long.length === 3) long.writeUInt16BE(size, 1);
        if (long.length === 9) long.writeBigUInt64BE(BigInt(size), 1);
        if (long.length > 1) long[0] = long.length === 3 ? 0xfe : 0xff;
        asked.stream.write(Buffer.concat([Buffer.of(0x82), long, Buffer.alloc(4), payload]));
        // it comes back without its mask
        const want = 1 + long.length + size;
        await until(() => asked.heard.length >= want);
        assert.equal(asked.heard.slice(1 + long.length), payload.toString('latin1'), String(size));
      }
    }
    assert.equal(p.inbound.connections, 1);
    session.destroy();
    await until(() => reasons(p).length === 2);
    assert.deepEqual(reasons(p), ['broken', 'broken']);
    app.close();
  });

  it('to an app in HTTP/2, as extended CONNECT all the way, each direction ending by itself', async () => {
    await using app = await Http2App.start(echo, CONNECTS);
    await using p = await pair({ inbound: { app: { host: '127.0.0.1', port: app.port, h2c: true } } });
    const session = await openPlain(p.outbound.address);
    const asked = await ask(session, { 'sec-websocket-key': 'x', 'x-signet-caller': 'me' });
    const { fields } = app.requests[0]!;
    assert.deepEqual(
      [':method', ':protocol', ':path', 'x-signet-caller', 'sec-websocket-key'].map((name) => fields[name]),
      ['CONNECT', 'websocket', '/chat', WEB, undefined],
    );
    asked.stream.end(frame('bye'), 'latin1');
    await until(() => asked.ended);
    assert.equal(asked.heard, frame('bye'));
    await until(() => reasons(p).length === 1);
    assert.deepEqual(reasons(p), ['ended']);
    session.destroy();
  });

  for (const [what, options] of [
    ['does not take it', {}],
    ['takes it', CONNECTS],
  ] as const)
    it(`an app in HTTP/2 that ${what} is asked ${what === 'takes it' ? 'so' : 'in HTTP/1.1'}`, async () => {
      await using app = await Http2App.start(echo, options);
      await using w = await world({ app: { host: '127.0.0.1', port: app.port, h2c: true } });
      const session = await openSession(w.inbound.address, w.web);
      const { status } = await ask(session);
      // this app knows no HTTP/1.1
      assert.deepEqual([status, app.requests.length], what === 'takes it' ? [200, 1] : [502, 0]);
      session.destroy();
    });

  for (const [what, fields] of [
    ['a protocol that was not offered', { ':status': 200, 'sec-websocket-protocol': 'mqtt' }],
    ['an extension that was not offered', { ':status': 200, 'sec-websocket-extensions': 'x-mux' }],
    ['204', { ':status': 204 }],
  ] as const)
    it(`an app's ${what} accepts nothing`, async () => {
      await using app = await Http2App.start((stream) => stream.respond(fields), CONNECTS);
      await using w = await world({ app: { host: '127.0.0.1', port: app.port, h2c: true } });
      const session = await openSession(w.inbound.address, w.web);
      assert.equal((await ask(session, { 'sec-websocket-protocol': 'a' })).status, 502);
      session.destroy();
    });
});

describe('websocket over HTTP/2: answers of an app in HTTP/1.1', () => {
  for (const [what, answer, status] of [
    ['another proof', switching('Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n'), 502],
    ['200, which would be taken for a yes', OK, 502],
    ['401', 'HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno', 401],
  ] as const)
    it(`${what} → ${status}`, async () => {
      await using w = await world({ answer: answering(answer) });
      const session = await openSession(w.inbound.address, w.web);
      const asked = await ask(session);
      await until(() => asked.ended);
      assert.equal(asked.status, status);
      if (status === 401) assert.equal(asked.heard, 'no');
      session.destroy();
    });
});

describe('websocket over HTTP/2: its life', () => {
  it('ends with one record under the decision it passed by, whatever was judged since', async () => {
    await using w = await world({ answer: echoing() });
    const session = await openSession(w.inbound.address, w.web);
    const asked = await Promise.all(['/a', '/b', '/c'].map((path) => ask(session, { ':path': path })));
    for (const { stream } of asked) {
      const before = reasons(w).length;
      stream.end(frame('hello'), 'latin1');
      await until(() => reasons(w).length > before);
    }
    const of = (type: string) => w.audit.events.filter((event) => event.type === type);
    assert.deepEqual(
      of('decision').map(({ path }) => path),
      ['/a', '/b', '/c'],
    );
    assert.deepEqual(
      of('end').map(({ id, received, sent, reason }) => [id, received, sent, reason]),
      of('decision').map(({ id }) => [id, 11, 11, 'ended']),
    );
    session.destroy();
  });

  it('goes on while it drains, and is then told 1001 on both sides', async () => {
    await using o = await opened();
    const goaway = once(o.session, 'goaway');
    const closed = o.w.inbound.close({ deadlineMs: 2_000 });
    await goaway;
    o.asked.stream.write(frame('still'), 'latin1');
    await until(() => o.rest().startsWith(frame('still')));
    await until(() => o.asked.ended);
    assert.equal(o.rest(), frame('still') + CLOSE(1001));
    const atApp = Buffer.from(o.w.app.received.slice(-8), 'latin1');
    assert.deepEqual([atApp[0], atApp[1]], [0x88, 0x82]);
    assert.equal(await closed, 0);
    assert.deepEqual(reasons(o.w), ['drained']);
  });

  it('is told 1001 when nothing moves for too long, and outlives the time-outs of requests', async () => {
    await using o = await opened({
      limits: { spliceIdleMs: 900, idleMs: 200, headMs: 200, responseMs: 200, stallMs: 200, wholeMs: 200 },
    });
    await new Promise((resolve) => setTimeout(resolve, 600));
    o.asked.stream.write(frame('later'), 'latin1');
    await until(() => o.asked.ended);
    assert.equal(o.rest(), frame('later') + CLOSE(1001));
    await until(() => reasons(o.w).length === 1);
    assert.deepEqual(reasons(o.w), ['idle']);
  });

  it('is cut with 1008 when its peer is denied: not a byte passes from then on, nor another stream', async () => {
    let reason: string | null = null;
    await using o = await opened({ denied: () => reason });
    const goaway = once(o.session, 'goaway');
    reason = 'id';
    o.w.inbound.recheck();
    o.asked.stream.write(frame('more'), 'latin1');
    await until(() => o.asked.ended);
    assert.equal(o.rest(), CLOSE(1008));
    assert.equal(o.w.app.received.includes('more'), false);
    assert.deepEqual(reasons(o.w), ['cut']);
    await goaway;
    await until(() => o.w.inbound.connections === 0);
  });

  for (const [what, breakOff] of [
    ['is reset', (peer: FramePeer) => peer.send(reset(1, CANCEL))],
    ['sends trailers', (peer: FramePeer) => peer.send(headers(1, [['x', 'y']]))],
    ['sends more than it may', (peer: FramePeer) => peer.send(...flood())],
    ['loses its connection', (peer: FramePeer) => peer.socket.destroy()],
  ] as const)
    it(`a stream that ${what} is a break to the app, never an end`, async () => {
      await using w = await world({ answer: echoingHead() });
      using peer = await dialFrames(w.inbound.address, w.web);
      peer.send(
        headers(1, [...asFields(), [':scheme', 'https'] as const].toSorted(pseudoFirst), END_HEADERS),
      );
      await until(() => peer.first(1, 1) !== undefined);
      peer.send(data(1, 'hi'));
      await until(() => w.app.received.endsWith('hi'));
      const [seen] = w.app.connections;
      let error = '';
      seen!.socket.on('error', ({ code }: NodeJS.ErrnoException) => {
        error = code ?? '';
      });
      seen!.socket.pause();
      breakOff(peer);
      await until(() => reasons(w).length === 1);
      seen!.socket.resume();
      await until(() => seen!.socket.destroyed);
      assert.deepEqual([error, seen!.ended], ['ECONNRESET', false]);
      assert.deepEqual(reasons(w), ['broken']);
    });

  it('stays on its connection when our SVID is renewed; what is new takes a new one', async () => {
    await using p = await pair({ inbound: { answer: echoing() } });
    const session = await openPlain(p.outbound.address);
    const asked = await ask(session);
    p.web.publish(await svid(p.ca.issuer, p.ca.root, WEB));
    const later = await ask(session);
    assert.equal(p.inbound.connections, 2);
    for (const { stream } of [asked, later]) stream.end(frame('still'), 'latin1');
    await until(() => asked.ended && later.ended);
    assert.deepEqual([asked.heard, later.heard], [frame('still'), frame('still')]);
    await until(() => p.inbound.connections === 1);
    session.destroy();
  });

  it('is cut with 1008 when the certificate it was made with expires', async () => {
    const ca = await authority();
    const web = await credentialsFor(ca, WEB, { notAfter: new Date(Date.now() + 3_000) });
    await using p = await pair({ inbound: { ca, answer: echoing() }, outbound: { credentials: web } });
    const session = await openPlain(p.outbound.address);
    const asked = await ask(session);
    await until(() => asked.ended);
    assert.equal(asked.heard, CLOSE(1008));
    session.destroy();
  });

  it('is not asked for at an app that never says what it takes', async () => {
    const mute = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as AddressInfo;
    await using w = await world({
      app: { host: '127.0.0.1', port, h2c: true },
      limits: { connectMs: 200 },
    });
    const session = await openSession(w.inbound.address, w.web);
    assert.equal((await ask(session)).status, 504);
    session.destroy();
    mute.close();
  });

  it('an app that breaks off is a reset to the client, never an end', async () => {
    await using o = await opened();
    o.w.app.connections[0]!.socket.resetAndDestroy();
    await until(() => o.asked.stream.closed);
    assert.equal(o.asked.stream.rstCode, CANCEL);
  });

  it('an HTTP/1.1 upgrade that ends its side early is spliced with that end', async () => {
    await using w = await world({
      answer: ({ socket, received }) => {
        if (received.endsWith('\r\n\r\n')) setTimeout(() => socket.write(switching()), 100);
      },
    });
    using client = await w.dial();
    client.socket.end(asking());
    await until(() => w.app.connections[0]?.ended === true);
    await until(() => reasons(w).length === 1);
  });
});

describe('websocket over HTTP/2: 200 MiB through both sidecars with flat memory', function () {
  this.timeout(90_000);

  for (const from of ['client', 'app'] as const)
    it(`from the ${from}, to one that reads slowly at first`, async () => {
      await using p = await pair({ inbound: { answer: echoingHead() } });
      const session = await openPlain(p.outbound.address);
      const stream = session.request(FIELDS, { endStream: false });
      await once(stream, 'response');
      const app = p.app.connections[0]!.socket;
      const [writer, reader] = from === 'client' ? [stream, app] : [app, stream];
      const read = slowly(reader as never);
      const most = await peak(async () => {
        await pour(writer);
        await until(
          () => read.bytes === POURED,
          () => `${read.bytes} bytes`,
        );
      });
      assert.equal(read.digest(), DIGEST);
      assert.ok(most < ROOM, `${Math.round(most / MIB)} MiB`);
      session.destroy();
    });
});

/** Accepts, and leaves all the rest to the test. */
function echoingHead(): NonNullable<WorldOptions['answer']> {
  const accept = echoing();
  const done = new WeakSet<object>();
  return (seen) => {
    if (done.has(seen) || !seen.received.endsWith('\r\n\r\n')) return;
    done.add(seen);
    accept(seen);
  };
}

const asFields = () => Object.entries(FIELDS).map(([name, value]) => [name, value] as const);
const pseudoFirst = ([a]: readonly [string, string], [b]: readonly [string, string]) =>
  Number(b[0] === ':') - Number(a[0] === ':');
/** Data far beyond every window, padded as far as a frame can be. */
const flood = () => {
  const padded = Buffer.concat([Buffer.of(255), Buffer.alloc(16_000), Buffer.alloc(255)]);
  return Array.from({ length: 1_500 }, () => data(1, padded, 0x8));
};
