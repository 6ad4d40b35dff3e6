import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  data,
  END_HEADERS,
  END_STREAM,
  type Field,
  type FramePeer,
  headers,
} from '../../support/http2-frames.ts';
import { type World, world } from '../inbound/world.ts';
import { until } from '../sockets.ts';
import { WEB } from '../support.ts';
import { dialFrames, type Http2World, h2cWorld, untilOver } from './world.ts';

type Case = {
  readonly name: string;
  readonly request: string;
  readonly refused?: string;
  readonly forwarded?: string;
};
const vectors = new URL('../../vectors/http1/requests.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(vectors, 'utf8')) as { cases: Case[] };

/** A request in the words of either protocol. */
type Spoken = {
  readonly method: string;
  readonly target: string;
  readonly lines: Field[];
  readonly body: string;
};

const HOP = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|te|proxy-authorization)$/;

/** Reads what could be said in HTTP/2 as well; undefined for what is about HTTP/1.1's own form. */
function spoken(request: string): Spoken | undefined {
  const blank = request.indexOf('\r\n\r\n');
  const [line = '', ...rest] = request.slice(0, blank).split('\r\n');
  const [, method, target] = /^(\S+) (\S+) HTTP\/1\.1$/.exec(line) ?? [];
  const lines = rest.map((text) => /^([^:]*):[ \t]*(.*?)[ \t]*$/s.exec(text)?.slice(1));
  if (method === undefined || target === undefined || lines.some((found) => found === undefined))
    return undefined;
  const fields = (lines as [string, string][]).map(([name, value]) => [name.toLowerCase(), value] as const);
  if (fields.some(([name]) => HOP.test(name))) return undefined;
  const hosts = fields.filter(([name]) => name === 'host');
  if (hosts.length !== 1) return undefined;
  return { method, target, lines: fields, body: request.slice(blank + 4) };
}

/** The same in HTTP/2. */
function sent({ method, target, lines, body }: Spoken): Buffer[] {
  const authority = lines.find(([name]) => name === 'host')![1];
  const fields: Field[] = [
    [':method', method],
    [':scheme', 'https'],
    [':path', target],
    [':authority', authority],
    ...lines.filter(([name]) => name !== 'host'),
  ];
  return body === ''
    ? [headers(1, fields)]
    : [headers(1, fields, END_HEADERS), data(1, Buffer.from(body, 'latin1'), END_STREAM)];
}

const sayable = cases.flatMap((c) => {
  const request = spoken(c.request);
  return request === undefined ? [] : [{ ...c, request }];
});

/** What nghttp2 refuses by itself, by a reset and so without a word to us. */
const RESET = /^(?:content_length|host|target_form|target_byte|method_refused|request_line_malformed)$/;
/** What it takes out of a head by itself before we see it: nobody judges it, and nobody gets it. */
const TAKEN_OUT = /^(?:header_name|header_value)$/;

type Outcome = 'refused' | 'taken out';

/** What became of a request that is not to pass as it is. */
async function outcome(peer: FramePeer, w: World, code: string): Promise<Outcome> {
  await untilOver(peer, 1);
  const [event] = w.audit.events;
  if (event === undefined) {
    assert.match(code, RESET);
    assert.ok(!peer.isWhole(1));
    return 'refused';
  }
  if (event['type'] === 'decision') {
    assert.match(code, TAKEN_OUT);
    return 'taken out';
  }
  assert.deepEqual([event['type'], event['code']], ['refused', code]);
  return 'refused';
}

describe('HTTP/2: the request vectors of HTTP/1', () => {
  it('can for the most part be said in it', () => assert.ok(sayable.length > 150, `${sayable.length}`));

  describe('to an app that speaks HTTP/1.1', () => {
    let w: World;
    before(async () => {
      w = await world();
    });
    after(() => w[Symbol.asyncDispose]());

    for (const { name, request, refused, forwarded } of sayable) {
      it(`${name} → ${refused ?? 'exactly what was judged'}`, async () => {
        const before = w.app.received.length;
        w.audit.events.length = 0;
        using peer = await dialFrames(w.inbound.address, w.web);
        peer.send(...sent(request));
        if (refused !== undefined) {
          const became = await outcome(peer, w, refused);
          const want = `GET /a HTTP/1.1\r\nhost: orders\r\nx-signet-caller: ${WEB}\r\n\r\n`;
          assert.equal(w.app.received.slice(before), became === 'refused' ? '' : want);
          return;
        }
        await untilOver(peer, 1);
        const came = spoken(w.app.received.slice(before))!;
        const want = spoken(forwarded!)!;
        assert.equal(came.target, want.target);
        assert.equal(came.method, want.method);
        assert.equal(came.body, want.body);
        assert.deepEqual(came.lines.toSorted(), [...want.lines, ['x-signet-caller', WEB]].toSorted());
        assert.equal(w.audit.events[0]!['path'], want.target.split('?')[0]);
      });
    }
  });

  describe('to an app that speaks HTTP/2', () => {
    let w: Http2World;
    before(async () => {
      w = await h2cWorld();
    });
    after(() => w[Symbol.asyncDispose]());

    for (const { name, request, refused, forwarded } of sayable) {
      it(`${name} → ${refused ?? 'exactly what was judged'}`, async () => {
        w.h2app.requests.length = 0;
        w.audit.events.length = 0;
        using peer = await dialFrames(w.inbound.address, w.web);
        peer.send(...sent(request));
        if (refused !== undefined) {
          const became = await outcome(peer, w, refused);
          const pseudo = 4;
          assert.deepEqual(
            w.h2app.requests.flatMap(({ raw }) => raw.slice(pseudo * 2)),
            became === 'refused' ? [] : ['x-signet-caller', WEB],
          );
          return;
        }
        await until(() => w.h2app.requests.length === 1);
        const want = spoken(forwarded!)!;
        const { raw } = w.h2app.requests[0]!;
        const came = Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!]);
        const host = want.lines.find(([line]) => line === 'host')![1];
        assert.deepEqual(
          came.toSorted(),
          [
            ...[':method', ':scheme', ':path', ':authority'].map((pseudo, i) => [
              pseudo,
              [want.method, 'http', want.target, host][i]!,
            ]),
            ...want.lines.filter(([line]) => line !== 'host'),
            ['x-signet-caller', WEB],
          ].toSorted(),
        );
        await untilOver(peer, 1);
        assert.equal(peer.bodyOf(1), request.method === 'HEAD' ? '' : want.body);
      });
    }
  });
});
