import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  CANCEL,
  DATA,
  data,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  frame,
  headers,
  PING,
  request,
  reset,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { world } from '../inbound/world.ts';
import { until } from '../sockets.ts';
import { WEB } from '../support.ts';
import { ask, dialFrames, echo, h2cWorld, openSession } from './world.ts';

/** What bounds floods must not meet those who only work hard. */
describe('HTTP/2: conduct that is no flood', function () {
  this.timeout(30_000);

  it('a stream of many tiny pieces each way, each taken note of by itself', async () => {
    const pieces = 20_000;
    let heard = 0;
    await using w = await h2cWorld(echo);
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.onFrame = ({ type, payload }) => {
      if (type !== DATA || payload.length === 0) return;
      heard += payload.length;
      peer.send(windowUpdate(0, payload.length), windowUpdate(1, payload.length));
    };
    peer.send(headers(1, request('/a', 'POST', [['content-type', 'application/grpc']]), END_HEADERS));
    for (let sent = 0; sent < pieces; sent += 50) {
      peer.send(...Array.from({ length: 50 }, () => data(1, 'abcde')));
      await until(() => heard >= 5 * (sent - 200) || peer.closed);
    }
    peer.send(data(1, '', END_STREAM));
    await until(() => peer.isWhole(1) || peer.closed);
    assert.equal(heard, 5 * pieces);
    assert.equal(peer.farewell, undefined);
  });

  it('large bodies for requests that are refused before they have come', async () => {
    const documents = [{ name: 'get', when: { all: [{ caller: { is: WEB } }, { method: { is: 'GET' } }] } }];
    await using w = await world({ documents });
    const session = await openSession(w.inbound.address, w.web);
    for (let i = 0; i < 20; i++) {
      const posts = Array.from({ length: 5 }, () =>
        ask(session, { ':path': '/a', ':method': 'POST' }, Buffer.alloc(300_000)),
      );
      for (const { status } of await Promise.all(posts)) assert.equal(status, 403);
    }
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
    session.destroy();
  });

  it('bodies that nobody reads, and that their caller gives up', async () => {
    await using w = await h2cWorld((stream) => stream.pause());
    const session = await w.session();
    for (let round = 1; round <= 5; round++) {
      const streams = Array.from({ length: 10 }, () => {
        const stream = session.request({ ':path': '/a', ':method': 'POST', ':authority': 'orders' });
        stream.on('error', () => {});
        stream.write(Buffer.alloc(250_000));
        return stream;
      });
      await until(() => w.h2app.requests.length === 10 * round || session.destroyed);
      // until all of it is on its way
      await until(() => streams.every(({ writableLength }) => writableLength === 0) || session.destroyed);
      for (const stream of streams) stream.close(CANCEL);
      await Promise.all(streams.map((stream) => stream.closed || once(stream, 'close')));
    }
    // two ticks later it would be seen
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(session.destroyed, false);
    session.destroy();
  });

  it('bodies that go on coming when the app has reset their streams', async () => {
    await using w = await h2cWorld((stream) => stream.once('data', () => stream.close(CANCEL)));
    using peer = await dialFrames(w.inbound.address, w.web);
    const ids = Array.from({ length: 100 }, (_, i) => 2 * i + 1);
    peer.send(...ids.map((id) => headers(id, request('/a', 'POST'), END_HEADERS)));
    for (let round = 0; round < 100; round++) {
      peer.send(...ids.map((id) => data(id, Buffer.alloc(500))));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => ids.every((id) => peer.resetOf(id) !== undefined));
    assert.equal(peer.closed, false);
  });

  it('many calls that are cancelled once they were answered', async () => {
    await using w = await h2cWorld((stream) => stream.respond({ ':status': 200 }));
    const session = await w.session();
    for (let i = 0; i < 40; i++)
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const stream = session.request({ ':path': '/a', ':authority': 'orders' });
          stream.on('error', () => {});
          await once(stream, 'response');
          stream.close(CANCEL);
          await once(stream, 'close');
        }),
      );
    assert.equal(session.destroyed, false);
    session.destroy();
  });

  it('a question for each kilobyte of a large answer', async () => {
    await using w = await h2cWorld((stream) => {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(8_000_000));
    });
    using peer = await dialFrames(w.inbound.address, w.web);
    let heard = 0;
    peer.onFrame = ({ type, payload }) => {
      if (type !== DATA) return;
      heard += payload.length;
      const pings = Array.from({ length: payload.length / 1_000 }, () => frame(PING, 0, 0, Buffer.alloc(8)));
      if (payload.length > 0)
        peer.send(windowUpdate(0, payload.length), windowUpdate(1, payload.length), ...pings);
    };
    peer.send(headers(1, request('/a')));
    await until(() => peer.isWhole(1) || peer.closed);
    assert.equal(heard, 8_000_000);
  });
});

describe('HTTP/2: streams that are begun only to be ended', function () {
  this.timeout(30_000);

  it('are seen by the app each, so that no other bound meets them: the connection ends after a thousand and what time allows', async () => {
    const batch = 50;
    await using w = await h2cWorld(() => {});
    using peer = await dialFrames(w.inbound.address, w.web);
    const isOver = () => peer.closed || peer.farewell !== undefined;
    let streams = 0;
    while (!isOver()) {
      const ids = Array.from({ length: batch }, (_, i) => 2 * (streams + i) + 1);
      peer.send(...ids.map((id) => headers(id, request('/held'))));
      streams += batch;
      await until(() => w.h2app.requests.length === streams || isOver());
      peer.send(...ids.map((id) => reset(id, CANCEL)));
      assert.ok(streams < 5_000);
    }
    assert.ok(streams >= 1_000, `only ${streams}`);
    await until(() => peer.closed);
    assert.equal(peer.farewell, ENHANCE_YOUR_CALM);
    const last = w.audit.events.at(-1)!;
    assert.deepEqual([last.type, 'code' in last && last.code], ['refused', 'http2_abandoned']);
  });
});

describe('HTTP/2: questions without end', () => {
  it('each answered before the next ones come: the connection ends all the same', async () => {
    const batch = Buffer.concat(Array.from({ length: 500 }, () => frame(PING, 0, 0, Buffer.alloc(8))));
    await using w = await world();
    using peer = await dialFrames(w.inbound.address, w.web);
    let answers = 0;
    peer.onFrame = ({ type }) => {
      if (type === PING && ++answers % 500 === 0) peer.send(batch);
    };
    peer.send(batch);
    await until(
      () => peer.closed,
      () => `${answers} answers`,
    );
    assert.equal(peer.farewell, ENHANCE_YOUR_CALM);
  });
});
