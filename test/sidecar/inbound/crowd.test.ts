import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { seededRandom } from '../../support/der.ts';
import {
  ENHANCE_YOUR_CALM,
  FramePeer,
  GOAWAY,
  headers,
  PREFACE,
  request,
  SETTINGS,
  settings,
} from '../../support/http2-frames.ts';
import { ask, dialFrames, openSession } from '../http2/world.ts';
import { assertReset, dialTls, portOf, RawClient, RawServer, until } from '../sockets.ts';
import { credentialsFor, ORDERS, WEB } from '../support.ts';
import { asking, echoing } from '../websocket/handshake.ts';
import { OK, problemIn, type World, type WorldOptions, world } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';
const ADMIN = 'spiffe://example.org/ns/shop/sa/admin';
const ALL = { name: 'all', when: { caller: { in: [WEB, ADMIN, 'anonymous'] } } };
const HERE = '127.0.0.1';
const ELSEWHERE = '127.0.0.2';

type Crowded = World & { readonly refused: () => Record<string, number> };

async function start(options: WorldOptions): Promise<Crowded> {
  const metrics = createMetrics();
  const w = await world({ documents: [ALL], metrics, ...options });
  const refused = () =>
    Object.fromEntries(
      [
        ...metrics.render().matchAll(/^signet_inbound_connections_refused_total\{reason="(\w+)"\} (\d+)$/gm),
      ].map(([, reason, count]) => [reason!, Number(count)]),
    );
  return { ...w, refused };
}

async function dialFrom(address: string, localAddress: string): Promise<RawClient> {
  const socket = connect({ host: HERE, port: portOf(address), localAddress, allowHalfOpen: true });
  const client = new RawClient(socket);
  await once(socket, 'connect');
  return client;
}

async function served(client: RawClient): Promise<RawClient> {
  client.send(GET);
  await client.hears(OK);
  return client;
}

/** Tries until the other side has seen who has left. */
async function servedAtLast(w: World): Promise<RawClient> {
  for (let tries = 0; tries < 500; tries++) {
    const client = await w.dial();
    client.send(GET);
    await until(() => client.closed || client.received.endsWith(OK));
    if (!client.closed) return client;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('never served again');
}

async function turnedAway(client: RawClient, said = GET): Promise<string> {
  client.send(said);
  const { status, code, detail } = problemIn(await client.ends());
  assert.deepEqual([status, code], [503, 'too_many_connections']);
  assert.match(client.received, /\r\nconnection: close\r\n/);
  return String(detail);
}

/** It was ended by a reset, and not a byte was said. */
async function reset(client: RawClient): Promise<void> {
  assert.equal(await client.ends(), '');
  assertReset(client);
}

describe('inbound: connections of one peer', () => {
  it('503 for the one beyond, which the app never sees; the others, and other peers, go on', async () => {
    await using w = await start({ limits: { connectionsPerPeer: 2 } });
    const admin = await credentialsFor(w.ca, ADMIN);
    using first = await served(await w.dial());
    using second = await served(await w.dial());
    using third = await w.dial();
    assert.match(await turnedAway(third), /one peer/);
    assert.equal(w.app.connections.length, 1);
    assert.equal(w.inbound.connections, 2);
    using other = await served(await dialTls(w.inbound.address, admin));
    await served(first);
    assert.deepEqual(w.refused(), { connections_of_peer: 1 });
    second.socket.destroy();
    await until(() => w.inbound.connections === 2);
    using again = await served(await w.dial());
    await served(other);
    using beyond = await w.dial();
    await turnedAway(beyond);
    assert.equal(again.closed, false);
    assert.equal(w.audit.events.filter(({ type }) => type !== 'decision').length, 0);
  });

  it('says so behind a body that is still coming, and to HEAD without a body', async () => {
    await using w = await start({ limits: { connectionsPerPeer: 1 } });
    using _first = await served(await w.dial());
    using body = await w.dial();
    await turnedAway(
      body,
      `POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 900000\r\n\r\n${'x'.repeat(300_000)}`,
    );
    using head = await w.dial();
    head.send(GET.replace('GET', 'HEAD'));
    assert.match(await head.ends(), /^HTTP\/1\.1 503 [^{]*\r\nconnection: close\r\n\r\n$/);
  });

  it('is by its ID, wherever it calls from; a certificate that is no SVID counts for its address', async () => {
    await using w = await start({ limits: { connectionsPerPeer: 1 } });
    const dial = async (from: string, credentials = w.web) =>
      dialTls(w.inbound.address, credentials, { localAddress: from } as object);
    using _first = await served(await dial(HERE));
    using second = await dial(ELSEWHERE);
    await turnedAway(second);
    const odd = await credentialsFor(w.ca, WEB, { sans: [{ type: 'dns', value: 'web' }] });
    using stranger = await dial(HERE, odd);
    await until(() => w.inbound.connections === 2);
    using another = await dial(HERE, odd);
    await turnedAway(another);
    using elsewhere = await dial(ELSEWHERE, odd);
    elsewhere.send(GET);
    assert.equal(problemIn(await elsewhere.ends())['code'], 'SVID_NO_URI_SAN');
    assert.equal(stranger.closed, false);
  });

  it('GOAWAY with ENHANCE_YOUR_CALM for HTTP/2, of which a connection counts as one', async () => {
    await using w = await start({ limits: { connectionsPerPeer: 1 } });
    const session = await openSession(w.inbound.address, w.web);
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask(session, { ':path': '/a' })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, request('/a')));
    await until(() => peer.closed);
    assert.deepEqual(
      peer.frames.map(({ type }) => type),
      [SETTINGS, GOAWAY],
    );
    assert.equal(peer.farewell, ENHANCE_YOUR_CALM);
    assert.equal(peer.first(GOAWAY)!.payload.readUInt32BE(0), 0);
    const other = await openSession(w.inbound.address, w.web);
    assert.equal((await ask(other, { ':path': '/a' })).status, 0);
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
    session.destroy();
    await until(() => w.inbound.connections === 0);
    const next = await openSession(w.inbound.address, w.web);
    assert.equal((await ask(next, { ':path': '/a' })).status, 200);
    next.destroy();
  });

  it('a reset for a raw one', async () => {
    await using app = await RawServer.start(({ socket }) => socket.write('hello'));
    const listen = { host: HERE, port: 0 };
    const tcp = [{ listen, app: { host: HERE, port: app.port } }];
    await using w = await start({ tcp, limits: { connectionsPerPeer: 2 } });
    const dial = () => dialTls(w.inbound.tcp[0]!, w.web, { ALPNProtocols: ['signet-tcp'] });
    using http = await served(await w.dial());
    using first = await dial();
    first.send('a');
    await first.hears('hello');
    using second = await dial();
    second.send('a');
    await reset(second);
    first.send('b');
    await first.hears('hellohello');
    await served(http);
    assert.equal(app.connections.length, 1);
  });

  it('counts a WebSocket until it ends', async () => {
    await using w = await start({ answer: echoing(), limits: { connectionsPerPeer: 1 } });
    using client = await w.dial();
    client.send(asking());
    await client.hears('\r\n\r\n');
    using second = await w.dial();
    await turnedAway(second);
    client.socket.end();
    await client.ends();
    await until(() => w.inbound.connections === 0);
    using third = await w.dial();
    third.send(asking());
    await third.hears('101');
  });

  for (const protocol of ['http', 'tls'] as const)
    it(`is by the address where there is no SVID (${protocol})`, async () => {
      await using w = await start({ anonymous: protocol, limits: { connectionsPerPeer: 1 } });
      const place = w.inbound.anonymous!;
      const dial = (from: string) =>
        protocol === 'http' ? dialFrom(place, from) : dialTls(place, null, { localAddress: from } as object);
      using first = await served(await dial(HERE));
      using second = await dial(HERE);
      await turnedAway(second);
      using _elsewhere = await served(await dial(ELSEWHERE));
      using _peer = await served(await w.dial());
      await served(first);
      if (protocol !== 'http') return;
      using frames = new FramePeer((await dialFrom(place, HERE)).socket);
      frames.send(PREFACE, settings(), headers(1, request('/a')));
      await until(() => frames.closed);
      assert.equal(frames.farewell, ENHANCE_YOUR_CALM);
    });
});

describe('inbound: connections in all', () => {
  it('503 for the one beyond, whoever it is', async () => {
    await using w = await start({ limits: { connections: 2 }, anonymous: 'http' });
    using _first = await served(await w.dial());
    using second = await served(await dialFrom(w.inbound.anonymous!, HERE));
    using third = await w.dial();
    assert.match(await turnedAway(third), /as many connections are open/);
    assert.deepEqual(w.refused(), { connections: 1 });
    second.socket.destroy();
    await until(() => w.inbound.connections === 1);
    using _fourth = await served(await w.dial());
  });

  it('0 bounds nothing', async () => {
    await using w = await start({ limits: { connections: 0, connectionsPerPeer: 0, handshakes: 0 } });
    const clients = await Promise.all(Array.from({ length: 5 }, () => w.dial()));
    for (const client of clients) await served(client);
    for (const client of clients) client.socket.destroy();
  });

  it('turns so many away in words and the others by a reset, and a drain waits for none of them', async () => {
    await using w = await start({ anonymous: 'http', limits: { connections: 1 } });
    const dial = () => dialFrom(w.inbound.anonymous!, HERE);
    using _first = await served(await dial());
    const mute = await Promise.all(Array.from({ length: 256 }, dial));
    await until(() => (w.refused()['connections'] ?? 0) === 256);
    using beyond = await dial();
    await reset(beyond);
    mute[0]!.socket.destroy();
    await until(() => mute[0]!.closed);
    assert.equal(mute.filter(({ closed }) => closed).length, 1);
    using next = await dial();
    await turnedAway(next);
    const began = performance.now();
    assert.equal(await w.inbound.close({ deadlineMs: 10_000 }), 0);
    assert.ok(performance.now() - began < 5_000);
    for (const { socket } of mute) socket.destroy();
  });
});

describe('inbound: handshakes under way', () => {
  it('a reset for those of one address beyond its bound; others are served', async () => {
    await using w = await start({ limits: { connectionsPerPeer: 3 } });
    const mute = await Promise.all([1, 2, 3].map(() => dialFrom(w.inbound.address, HERE)));
    using fourth = await dialFrom(w.inbound.address, HERE);
    await reset(fourth);
    using _elsewhere = await served(
      await dialTls(w.inbound.address, w.web, { localAddress: ELSEWHERE } as object),
    );
    assert.deepEqual(w.refused(), { handshakes_of_address: 1 });
    for (const { socket } of mute) socket.resetAndDestroy();
    using _again = await servedAtLast(w);
  });

  it('leaves half of them to others, however many connections a peer may have', async () => {
    await using w = await start({ limits: { connectionsPerPeer: 0, handshakes: 4 } });
    const mute = await Promise.all([1, 2].map(() => dialFrom(w.inbound.address, HERE)));
    using third = await dialFrom(w.inbound.address, HERE);
    await reset(third);
    assert.deepEqual(w.refused(), { handshakes_of_address: 1 });
    using _elsewhere = await served(
      await dialTls(w.inbound.address, w.web, { localAddress: ELSEWHERE } as object),
    );
    for (const { socket } of mute) socket.resetAndDestroy();
  });

  it('a reset for those beyond the bound of all', async () => {
    await using w = await start({ limits: { handshakes: 2, handshakeMs: 500 } });
    using first = await dialFrom(w.inbound.address, HERE);
    using second = await dialFrom(w.inbound.address, ELSEWHERE);
    using third = await dialFrom(w.inbound.address, '127.0.0.3');
    await reset(third);
    assert.deepEqual(w.refused(), { handshakes: 1 });
    await Promise.all([first.ends(), second.ends()]);
    using _again = await served(await w.dial());
  });

  it('counts nobody who has left: 400 that break off at any moment', async () => {
    await using w = await start({ limits: { connectionsPerPeer: 20, handshakeMs: 500 }, anonymous: 'tls' });
    const random = seededRandom(11);
    const strangers = await credentialsFor(w.ca, ORDERS);
    const one = async () => {
      const place = random() < 0.5 ? w.inbound.address : w.inbound.anonymous!;
      const kind = random();
      if (kind < 0.3) {
        const client = await dialFrom(place, HERE).catch(() => null);
        client?.send(kind < 0.1 ? 'no TLS' : '');
        client?.socket.destroy();
        return;
      }
      const [credentials, protocols] = [random() < 0.5 ? w.web : strangers, random() < 0.5 ? ['h2'] : []];
      const client = await dialTls(place, credentials, { ALPNProtocols: protocols });
      if (kind < 0.6) client.send(GET);
      if (kind < 0.4) await client.hears(/HTTP/).catch(() => {});
      if (kind < 0.8) client.socket.destroy();
      else client.socket.end();
      await client.ends();
    };
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 20 }, one));
    await until(() => w.inbound.connections === 0);
    const all: RawClient[] = [];
    while (all.length < 20) all.push(await servedAtLast(w));
    using beyond = await w.dial();
    await turnedAway(beyond);
    for (const { socket } of all) socket.destroy();
  });
});
