import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  data,
  END_HEADERS,
  END_STREAM,
  FramePeer,
  headers,
  PREFACE,
  request,
  settings,
} from '../../support/http2-frames.ts';
import { world } from '../inbound/world.ts';
import { dialTls, until } from '../sockets.ts';
import { authority, credentialsFor, svid, WEB } from '../support.ts';
import { answerTo, ask, dialFrames, echo, type Handler, h2cWorld, openSession, untilOver } from './world.ts';

/** An app that answers nothing but keeps the streams. */
function holding(): { readonly handler: Handler; readonly streams: ServerHttp2Stream[] } {
  const streams: ServerHttp2Stream[] = [];
  return { streams, handler: (stream) => void streams.push(stream) };
}

describe('HTTP/2: drain', () => {
  it('lets streams end, takes no new ones, and ends the connection', async () => {
    const { handler, streams } = holding();
    await using w = await h2cWorld(handler);
    const session = await w.session();
    const answer = ask(session, { ':path': '/a' });
    await until(() => streams.length === 1);
    const goaway = once(session, 'goaway');
    const closed = w.inbound.close({ deadlineMs: 5_000 });
    assert.deepEqual((await goaway).slice(0, 2), [0, 1]);
    const late = await ask(session, { ':path': '/b' }).catch((error: NodeJS.ErrnoException) => error.code);
    assert.ok(late === 'ERR_HTTP2_GOAWAY_SESSION' || (late as { code: number }).code !== 0);
    streams[0]!.respond({ ':status': 200 });
    streams[0]!.end('held');
    assert.equal((await answer).body, 'held');
    assert.equal(await closed, 0);
    await until(() => session.destroyed);
  });

  it('serves the stream of a connection that came at the last moment', async () => {
    await using w = await world();
    const { socket } = await dialTls(w.inbound.address, w.web, { ALPNProtocols: ['h2'] });
    await until(() => w.inbound.connections === 1);
    const closed = w.inbound.close({ deadlineMs: 5_000 });
    using peer = new FramePeer(socket);
    peer.send(PREFACE, settings(), headers(1, request('/a')));
    await until(() => peer.isWhole(1));
    assert.equal(peer.bodyOf(1), 'ok');
    assert.equal(await closed, 0);
  });

  it('tells streams that would never end to end, in gRPC by a status, before it cuts', async () => {
    const { handler, streams } = holding();
    await using w = await h2cWorld((stream, fields, raw) => {
      if (fields[':path'] !== '/unanswered') stream.respond({ ':status': 200 }, { waitForTrailers: true });
      handler(stream, fields, raw);
    });
    const session = await w.session();
    const grpc = { 'content-type': 'application/grpc' };
    const [unanswered, plain, call] = [
      ask(session, { ':path': '/unanswered' }),
      ask(session, { ':path': '/plain' }),
      ask(session, { ':path': '/call', ':method': 'POST', ...grpc }, ''),
    ];
    await until(() => streams.length === 3);
    assert.equal(await w.inbound.close({ deadlineMs: 1_500 }), 0);
    assert.equal((await unanswered).status, 503);
    assert.notEqual((await plain).code, 0);
    assert.equal((await call).trailers?.['grpc-status'], '14');
  });
});

describe('HTTP/2: a peer that has gone', () => {
  for (const how of ['end', 'destroy'] as const)
    it(`leaves no connection behind when it goes without a word (${how})`, async () => {
      await using w = await world();
      using idle = await dialFrames(w.inbound.address, w.web);
      using asked = await dialFrames(w.inbound.address, w.web);
      asked.send(headers(1, request('/a')));
      await until(() => asked.isWhole(1) && w.inbound.connections === 2);
      for (const { socket } of [idle, asked]) socket[how]();
      await until(() => w.inbound.connections === 0);
    });

  it('is still answered when it only says that it asks no more', async () => {
    const { handler, streams } = holding();
    await using w = await h2cWorld(handler);
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, request('/a')));
    await until(() => streams.length === 1);
    peer.socket.end();
    await until(() => peer.farewell !== undefined);
    streams[0]!.respond({ ':status': 200 });
    streams[0]!.end('held');
    await until(() => peer.closed);
    assert.deepEqual([peer.bodyOf(1), peer.isWhole(1)], ['held', true]);
  });
});

describe('HTTP/2: a peer’s standing', () => {
  it('cuts every stream of a peer that is denied', async () => {
    const { handler, streams } = holding();
    let denied: string | null = null;
    await using w = await h2cWorld(handler, { denied: () => denied });
    const session = await w.session();
    const answer = ask(session, { ':path': '/a' });
    await until(() => streams.length === 1);
    denied = 'serial';
    assert.equal(w.inbound.recheck(), 1);
    assert.notEqual((await answer).code, 0);
    await until(() => streams[0]!.destroyed && session.destroyed);
  });

  it('ends the connection of a peer whose certificate ends, after the answer that says so', async () => {
    const ca = await authority();
    const web = await credentialsFor(ca, WEB, { notAfter: new Date(Date.now() + 60_000) });
    let ahead = 0;
    await using w = await world({ ca, clock: { now: () => new Date(Date.now() + ahead) } });
    const session = await openSession(w.inbound.address, web);
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
    ahead = 61_000;
    const answer = await ask(session, { ':path': '/a' });
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [401, 'SVID_EXPIRED']);
    await until(() => session.destroyed);
    assert.doesNotMatch(w.app.received.slice(w.app.received.indexOf('\r\n\r\n') + 4), /GET/);
  });

  it('401 for a certificate that is no SVID, and nothing more', async () => {
    await using w = await world();
    const stranger = await credentialsFor(w.ca, WEB, {
      sans: [
        { type: 'url', value: WEB },
        { type: 'url', value: `${WEB}2` },
      ],
    });
    const session = await openSession(w.inbound.address, stranger);
    const answer = await ask(session, { ':path': '/a' });
    assert.equal(answer.status, 401);
    await until(() => session.destroyed);
    assert.equal(w.app.received, '');
  });

  it('a new authority cuts those whose chain does not lead to it', async () => {
    const { handler, streams } = holding();
    await using w = await h2cWorld(handler);
    const session = await w.session();
    const answer = ask(session, { ':path': '/a' });
    await until(() => streams.length === 1);
    const other = await authority();
    w.orders.publish(await svid(other.issuer, other.root, w.orders.current!.id.toString()));
    assert.notEqual((await answer).code, 0);
  });
});

describe('HTTP/2: patience', () => {
  it('408 for a body that does not come', async () => {
    await using w = await world({ limits: { stallMs: 200 } });
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, request('/a', 'POST'), END_HEADERS), data(1, 'hel'));
    await untilOver(peer, 1);
    assert.match(peer.bodyOf(1), /request_timeout/);
    // the stream ends, the connection goes on
    peer.send(headers(3, request('/a')));
    await until(() => peer.isWhole(3));
  });

  it('504 for an app that does not answer', async () => {
    await using w = await world({ limits: { responseMs: 200 }, answer: () => {} });
    const session = await openSession(w.inbound.address, w.web);
    const answer = await ask(session, { ':path': '/a' });
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [504, 'app_timeout']);
    session.destroy();
  });

  it('resets a stream whose caller does not take the answer', async () => {
    await using w = await h2cWorld(
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.write(Buffer.alloc(200_000));
      },
      { limits: { stallMs: 300 } },
    );
    // the window is 64 KB, and nothing is ever added to it
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, request('/a')));
    await until(() => peer.resetOf(1) !== undefined);
    assert.ok(!peer.isWhole(1));
    assert.equal(peer.bodyOf(1).length, 65_535);
    await until(() => w.h2app.sessions[0]!.destroyed || w.h2app.requests.length === 1);
  });

  it('ends a connection that has no stream for long, in good order', async () => {
    await using w = await world({ limits: { idleMs: 200 } });
    const session = await openSession(w.inbound.address, w.web);
    const [code] = (await once(session, 'goaway')) as [number];
    assert.equal(code, 0);
    await until(() => session.destroyed && w.inbound.connections === 0);
  });

  it('ends a connection that says nothing at all', async () => {
    await using w = await world({ limits: { headMs: 200 } });
    using client = await dialTls(w.inbound.address, w.web, { ALPNProtocols: ['h2'] });
    await client.ends();
  });

  it('ends a connection with streams whose other end is gone without a word', async () => {
    const { handler, streams } = holding();
    await using w = await h2cWorld(handler, { limits: { pingMs: 200 } });
    using peer = await dialFrames(w.inbound.address, w.web);
    // a call of gRPC, which may be quiet for as long as it likes, and a peer that answers no ping
    peer.send(headers(1, request('/a', 'POST', [['content-type', 'application/grpc']]), END_HEADERS));
    await until(() => streams.length === 1);
    await until(() => peer.closed && streams[0]!.destroyed);
  });

  it('a body that is too large is 413, by its length or as it comes', async () => {
    await using w = await world({ limits: { bodyBytes: 1_000 } });
    const session = await openSession(w.inbound.address, w.web);
    const fields = { ':path': '/a', ':method': 'POST' };
    const announced = await ask(session, { ...fields, 'content-length': 1_001 }, Buffer.alloc(1_001));
    const counted = await ask(session, fields, Buffer.alloc(1_001));
    assert.deepEqual([announced.status, counted.status], [413, 413]);
    assert.equal((await ask(session, fields, Buffer.alloc(1_000))).status, 200);
    session.destroy();
  });

  it('a length that the body does not have is no whole request to the app', async () => {
    await using w = await world({ answer: () => {} });
    for (const body of ['hell', 'hello!']) {
      using peer = await dialFrames(w.inbound.address, w.web);
      peer.send(
        headers(1, request('/a', 'POST', [['content-length', '5']]), END_HEADERS),
        data(1, body, END_STREAM),
      );
      await untilOver(peer, 1);
      assert.ok(!peer.isWhole(1) || /content_length/.test(peer.bodyOf(1)));
    }
    await until(() => w.app.connections.every(({ socket }) => socket.destroyed || socket.readableEnded));
    assert.doesNotMatch(w.app.received, /hello/);
  });
});

describe('HTTP/2: flow', () => {
  it('10 MB both ways at once, through an app that echoes, with little in between', async () => {
    await using w = await h2cWorld(echo);
    const session = await w.session();
    const body = Buffer.alloc(10_485_760, 'abcdefghijklmnop');
    const stream = session.request({ ':path': '/a', ':method': 'POST', ':authority': 'orders' });
    // node refuses a piece larger than what it lets a connection hold
    const pieces = Array.from({ length: 160 }, (_, i) => body.subarray(i * 65_536, (i + 1) * 65_536));
    const answering = answerTo(stream);
    await pipeline(Readable.from(pieces), stream);
    const answer = await answering;
    assert.ok(Buffer.from(answer.body, 'latin1').equals(body));
    session.destroy();
  });

  it('a caller that stops reading stops the app', async () => {
    let written = 0;
    await using w = await h2cWorld((stream) => {
      stream.respond({ ':status': 200 });
      const more = () => {
        while (!stream.destroyed && written < 100_000_000) {
          written += 65_536;
          if (!stream.write(Buffer.alloc(65_536))) {
            stream.once('drain', more);
            return;
          }
        }
      };
      more();
    });
    const session = await w.session();
    const stream = session.request({ ':path': '/a', ':authority': 'orders' });
    stream.on('error', () => {});
    await once(stream, 'response');
    stream.pause();
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(written < 2_000_000, `${written} bytes were taken from the app`);
    session.destroy();
  });

  it('an app that stops reading stops the caller', async () => {
    await using w = await h2cWorld(() => {});
    const session = await w.session();
    const stream = session.request({ ':path': '/a', ':method': 'POST', ':authority': 'orders' });
    stream.on('error', () => {});
    let taken = 0;
    const more = () => {
      while (taken < 100_000_000) {
        taken += 65_536;
        if (!stream.write(Buffer.alloc(65_536))) {
          stream.once('drain', more);
          return;
        }
      }
    };
    more();
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(taken < 3_000_000, `${taken} bytes were taken from the caller`);
    session.destroy();
  });
});
