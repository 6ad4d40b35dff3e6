import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  ACK,
  data,
  END_HEADERS,
  END_STREAM,
  type Field,
  HEADERS,
  headers,
  SETTINGS,
} from '../../support/http2-frames.ts';
import { type World, world } from '../inbound/world.ts';
import { pair } from '../outbound/world.ts';
import { until } from '../sockets.ts';
import { ALLOW_WEB, WEB } from '../support.ts';
import { echoing } from '../websocket/handshake.ts';
import { dialFrames, untilOver } from './world.ts';

const VERSION: Field = ['sec-websocket-version', '13'];
/** Extended CONNECT (RFC 8441 §5.1), with these fields changed or, when undefined, left out. */
function connecting(
  changed: Readonly<Record<string, string | undefined>> = {},
  more: readonly Field[] = [VERSION],
): Field[] {
  const fields = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':path': '/chat',
    ':authority': 'orders',
    ...changed,
  };
  const said = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return [...said, ...more];
}

const accepted = (w: World) => w.audit.events.some(({ type }) => type === 'decision');

describe('HTTP/2: extended CONNECT', () => {
  let w: World;
  before(async () => {
    w = await world({ answer: echoing() });
  });
  after(() => w[Symbol.asyncDispose]());
  beforeEach(() => void (w.audit.events.length = 0));

  it('is announced, to other sidecars and to our own app', async () => {
    await using p = await pair();
    for (const [address, credentials] of [
      [p.inbound.address, p.web],
      [p.outbound.address, null],
    ] as const) {
      using peer = await dialFrames(address, credentials);
      await until(() => peer.all(SETTINGS).some(({ flags }) => (flags & ACK) === 0));
      const { payload } = peer.all(SETTINGS).find(({ flags }) => (flags & ACK) === 0)!;
      const ids = Array.from({ length: payload.length / 6 }, (_, i) => payload.readUInt16BE(i * 6));
      assert.equal(payload.readUInt32BE(ids.indexOf(8) * 6 + 2), 1);
    }
  });

  it('is judged as GET of its path and put down as an upgrade with a key of ours', async () => {
    const from = w.app.received.length;
    using peer = await dialFrames(w.inbound.address, w.web);
    const more: Field[] = [
      VERSION,
      ['sec-websocket-key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
      ['sec-websocket-protocol', 'a, b'],
      ['x-signet-caller', 'me'],
      ['origin', 'https://example.org'],
    ];
    peer.send(headers(1, connecting({ ':path': '/chat?room=1' }, more), END_HEADERS));
    await until(() => peer.first(HEADERS, 1) !== undefined);
    const [decision] = w.audit.events;
    assert.deepEqual(
      [decision?.['method'], decision?.['path'], decision?.['effect']],
      ['GET', '/chat', 'allow'],
    );
    const seen = w.app.received.slice(from);
    const [, key] = /sec-websocket-key: (\S+)\r\n/.exec(seen) ?? [];
    assert.notEqual(key, 'AAAAAAAAAAAAAAAAAAAAAA==');
    assert.equal(
      seen,
      `GET /chat?room=1 HTTP/1.1\r\nhost: orders\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: a, b\r\norigin: https://example.org\r\nsec-websocket-key: ${key}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-signet-caller: ${WEB}\r\n\r\n`,
    );
    // neither Upgrade nor a proof: `:status 200` alone, by its place in the static table
    assert.deepEqual(peer.first(HEADERS, 1)!.payload, Buffer.of(0x88));
    peer.send(data(1, '\x89\x00'));
    await until(() => peer.bodyOf(1).length > 0);
  });

  const refused: readonly (readonly [what: string, code: string, fields: Field[], flags?: number])[] = [
    ['another protocol', 'upgrade_refused', connecting({ ':protocol': 'connect-udp' })],
    ['another spelling', 'upgrade_refused', connecting({ ':protocol': 'WebSocket' })],
    ['an empty protocol', 'upgrade_refused', connecting({ ':protocol': '' })],
    ['a stream that ends at once', 'websocket_handshake', connecting(), END_HEADERS | END_STREAM],
    ['no version', 'websocket_handshake', connecting({}, [])],
    ['two versions', 'websocket_handshake', connecting({}, [VERSION, VERSION])],
    ['another version', 'websocket_version', connecting({}, [['sec-websocket-version', '8']])],
    ['a length', 'websocket_handshake', connecting({}, [VERSION, ['content-length', '0']])],
    ['an expectation', 'websocket_handshake', connecting({}, [VERSION, ['expect', '100-continue']])],
    ['an Upgrade', 'connection_option', connecting({}, [VERSION, ['upgrade', 'websocket']])],
    ['a Connection', 'connection_option', connecting({}, [VERSION, ['connection', 'upgrade']])],
    ['a key under an alias', 'header_alias', connecting({}, [VERSION, ['sec_websocket_key', 'x']])],
    ['another host', 'host', connecting({}, [VERSION, ['host', 'stock']])],
    ['a path that hides another', 'target_dot_segment', connecting({ ':path': '/a/../chat' })],
    ['no :protocol', 'pseudo_header', connecting({ ':protocol': undefined })],
    [
      'a plain CONNECT',
      'pseudo_header',
      [
        [':method', 'CONNECT'],
        [':authority', 'orders:443'],
      ],
    ],
    ['no :authority', 'host', connecting({ ':authority': undefined })],
    ['no :path', 'pseudo_header', connecting({ ':path': undefined })],
    ['no :scheme', 'scheme', connecting({ ':scheme': undefined })],
    ['GET with :protocol', 'pseudo_header', connecting({ ':method': 'GET' })],
    ['two :protocol', 'pseudo_header', [[':protocol', 'websocket'], ...connecting()]],
  ];
  for (const [what, code, fields, flags = END_HEADERS] of refused)
    it(`with ${what} is refused: ${code}`, async () => {
      const from = w.app.connections.length;
      using peer = await dialFrames(w.inbound.address, w.web);
      peer.send(headers(1, fields, flags));
      await untilOver(peer, 1);
      assert.equal(accepted(w), false);
      // what nghttp2 refuses by itself we do not hear of; one that was accepted before may end only now
      const events = w.audit.events.filter((event) => event['type'] !== 'end');
      if (events.length > 0) {
        assert.deepEqual(
          events.map((event) => [event['type'], event['code']]),
          [['refused', code]],
        );
        assert.match(peer.bodyOf(1), new RegExp(`"${code}"`));
      } else assert.ok(peer.resetOf(1) !== undefined || peer.farewell !== undefined);
      assert.equal(w.app.connections.length, from);
    });

  it('of another version is told which one is served', async () => {
    using peer = await dialFrames(w.inbound.address, w.web);
    peer.send(headers(1, connecting({}, [['sec-websocket-version', '8']]), END_HEADERS));
    await untilOver(peer, 1);
    assert.match(peer.bodyOf(1), /"status":426/);
    assert.match(peer.first(HEADERS, 1)!.payload.toString('latin1'), /13/);
  });

  for (const [what, behind] of [
    ['data', data(1, 'x')],
    ['data with padding', Buffer.concat([data(1, '\x01x\0', 0x8)])],
    ['an end', data(1, '', END_STREAM)],
    ['trailers', headers(1, [['x', 'y']])],
  ] as const)
    it(`${what} before the answer ends it, and reaches nobody`, async () => {
      await using mute = await world({ answer: () => {} });
      using peer = await dialFrames(mute.inbound.address, mute.web);
      peer.send(headers(1, connecting(), END_HEADERS));
      await until(() => mute.app.received.endsWith('\r\n\r\n'));
      peer.send(behind);
      await untilOver(peer, 1);
      assert.match(peer.bodyOf(1), /upgrade_pipelined/);
      await until(() => mute.app.connections[0]!.socket.destroyed || mute.app.connections[0]!.ended);
      assert.match(mute.app.received, /\r\n\r\n$/);
    });

  it('is refused by policy on its stream before the app sees a byte; the connection goes on', async () => {
    const when = { all: [{ caller: { is: WEB } }, { method: { is: 'GET' } }, { path: { is: '/chat' } }] };
    await using strict = await world({ answer: echoing(), documents: [{ ...ALLOW_WEB, when }] });
    using peer = await dialFrames(strict.inbound.address, strict.web);
    peer.send(headers(1, connecting({ ':path': '/admin' }), END_HEADERS));
    await untilOver(peer, 1);
    assert.match(peer.bodyOf(1), /"status":403/);
    assert.equal(strict.app.connections.length, 0);
    peer.send(headers(3, connecting(), END_HEADERS));
    await until(() => strict.app.received.includes('GET /chat'));
  });

  it('any choice of pseudo-headers is a WebSocket by the letter or reaches nobody', async function () {
    this.timeout(30_000);
    const names = [':method', ':protocol', ':scheme', ':path', ':authority', 'sec-websocket-version', 'host'];
    const value = fc.constantFrom(
      ...['CONNECT', 'GET', 'websocket', 'h2c', 'https', 'http', '/chat', '*', '', 'orders', '13', '8'],
    );
    const sound = connecting();
    const changed = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 3 });
    const kept = fc.subarray(sound, { minLength: 3 });
    await fc.assert(
      fc.asyncProperty(kept, changed, fc.boolean(), async (some, others, ends) => {
        w.audit.events.length = 0;
        const from = w.app.received.length;
        const all = [...some, ...others].toSorted(([a], [b]) => Number(b[0] === ':') - Number(a[0] === ':'));
        using peer = await dialFrames(w.inbound.address, w.web);
        peer.send(headers(1, all, END_HEADERS | (ends ? END_STREAM : 0)));
        await until(
          () => peer.first(HEADERS, 1) !== undefined || peer.resetOf(1) !== undefined || peer.closed,
        );
        const of = (name: string) => all.filter(([n]) => n === name).map(([, v]) => v);
        if (of(':protocol').length > 0 && accepted(w)) {
          assert.deepEqual([of(':method'), of(':protocol')], [['CONNECT'], ['websocket']]);
          assert.ok(!ends && of('sec-websocket-version').join() === '13');
          assert.match(w.app.received.slice(from), /^GET \S+ HTTP\/1\.1\r\nhost: /);
        } else if (!accepted(w)) assert.equal(w.app.received.length, from);
        else assert.ok(!of(':method').includes('CONNECT'));
      }),
      { numRuns: 150 },
    );
  });
});
