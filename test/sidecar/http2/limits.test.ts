import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import {
  CONTINUATION,
  END_HEADERS,
  ENHANCE_YOUR_CALM,
  type Field,
  frame,
  HEADERS,
  headerBlock,
  headers,
  REFUSED_STREAM,
  request,
  settings,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { world } from '../inbound/world.ts';
import { until } from '../sockets.ts';
import { dialFrames, h2cWorld, untilOver } from './world.ts';

const fields = (count: number, value: string) =>
  Array.from({ length: count }, (_, i): Field => [`x-${i}`, value]);

/** A head that has begun and does not end. */
const openHead = (stream: number) => frame(HEADERS, 0, stream, headerBlock(request('/a')));

describe('HTTP/2: limits', () => {
  const heads: readonly (readonly [name: string, fields: readonly Field[], status: number, code: string])[] =
    [
      ['of more fields than are accepted', request('/a', 'GET', fields(110, 'a')), 431, 'too_many_headers'],
      [
        'of more bytes than are accepted',
        request('/a', 'GET', fields(2, 'a'.repeat(8_500))),
        431,
        'head_too_large',
      ],
      ['with a target longer than is accepted', request(`/${'a'.repeat(8_200)}`), 414, 'target_too_long'],
    ];
  for (const [name, head, status, code] of heads)
    it(`${status} for a head ${name}, and the connection goes on`, async () => {
      await using w = await world();
      using peer = await dialFrames(w.inbound.address, w.web);
      peer.send(headers(1, head));
      await until(() => peer.isWhole(1));
      const problem = JSON.parse(peer.bodyOf(1)) as { status: number; code: string };
      assert.deepEqual([problem.status, problem.code], [status, code]);
      peer.send(headers(3, request('/a')));
      await until(() => peer.bodyOf(3) === 'ok');
      assert.equal(w.app.received.split('GET').length, 2);
    });

  it('resets a stream whose head has far more fields, and the connection goes on', async () => {
    await using w = await world();
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, request('/a', 'GET', fields(140, 'a'))));
    await until(() => peer.resetOf(1) === ENHANCE_YOUR_CALM);
    peer.send(headers(3, request('/a')));
    await until(() => peer.bodyOf(3) === 'ok');
    assert.equal(w.app.received.split('GET').length, 2);
  });

  it('refuses streams beyond a hundred at once, and serves them when there is room', async () => {
    const streams: ServerHttp2Stream[] = [];
    await using w = await h2cWorld((stream) => void streams.push(stream));
    using peer = await dialFrames(w.inbound.address, w.web);
    const ids = Array.from({ length: 101 }, (_, i) => 2 * i + 1);
    peer.send(...ids.map((id) => headers(id, request('/a'))));
    await until(() => streams.length === 100 && peer.resetOf(201) === REFUSED_STREAM);
    streams[0]!.respond({ ':status': 200 }, { endStream: true });
    await until(() => peer.isWhole(1));
    peer.send(headers(203, request('/a')));
    await until(() => streams.length === 101);
    assert.equal(peer.closed, false);
  });

  it('ends a connection whose head does not come to its end', async () => {
    await using w = await world({ limits: { idleMs: 200 } });
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(openHead(1));
    await until(() => peer.closed);
    assert.equal(w.app.received, '');
  });

  it('ends it though other streams of it are under way, which it keeps from moving', async () => {
    const streams: ServerHttp2Stream[] = [];
    await using w = await h2cWorld((stream) => void streams.push(stream), { limits: { pingMs: 200 } });
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, request('/a')));
    await until(() => streams.length === 1);
    peer.send(openHead(3), frame(CONTINUATION, 0, 3, headerBlock(fields(1, 'a'))));
    await until(() => peer.closed && streams[0]!.destroyed);
  });

  it('resets a stream whose answer is taken a byte at a time', async () => {
    const seen: IncomingHttpHeaders[] = [];
    await using w = await h2cWorld(
      (stream, head) => {
        seen.push(head);
        stream.respond({ ':status': 200 });
        stream.write(Buffer.alloc(500_000));
      },
      { limits: { stallMs: 300 } },
    );
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(settings({ 4: 1 }), headers(1, request('/a')));
    await until(() => seen.length === 1);
    const dribble = setInterval(() => peer.send(windowUpdate(1, 1)), 20);
    try {
      await untilOver(peer, 1);
    } finally {
      clearInterval(dribble);
    }
    assert.notEqual(peer.resetOf(1), undefined);
    assert.ok(peer.bodyOf(1).length > 1);
  });

  it('ends a connection whose peer says no more, at once, with what it had under way', async () => {
    const streams: ServerHttp2Stream[] = [];
    await using w = await h2cWorld((stream) => void streams.push(stream));
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, request('/a', 'POST'), END_HEADERS));
    await until(() => streams.length === 1);
    peer.socket.end();
    await until(() => peer.closed && streams[0]!.destroyed && w.inbound.connections === 0);
  });
});
