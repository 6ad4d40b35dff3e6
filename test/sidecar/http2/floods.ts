import * as h2 from '../../support/http2-frames.ts';

/** Frames to send again and again. */
export type Flood = {
  /** Frames that come first, once. */
  readonly begin?: readonly Buffer[];
  /** One round; `stream` is the next stream that a client may begin. */
  round(stream: number): readonly Buffer[];
};

const PRIORITY_LOW = Buffer.from([0, 0, 0, 0, 16]);
const PADDED = 0x8;

const get = (stream: number, path = '/held') => h2.headers(stream, h2.request(path));
const post = (stream: number, path = '/held') => h2.headers(stream, h2.request(path, 'POST'), h2.END_HEADERS);
const fields = (count: number, value = 'a') =>
  Array.from({ length: count }, (_, i): h2.Field => [`x-${i}`, value]);
/** A head that is not at its end. */
const openHead = h2.frame(h2.HEADERS, h2.END_STREAM, 1, h2.headerBlock(h2.request('/a')));

const streams = (round: Flood['round']): Flood => ({ round });
const frames = (...repeated: readonly Buffer[]): Flood => ({ round: () => repeated });
const after = (begin: Buffer, ...repeated: readonly Buffer[]): Flood => ({
  begin: [begin],
  round: () => repeated,
});

export const floods: Readonly<Record<string, Flood>> = {
  'rapid reset (CVE-2023-44487) of requests that are held': streams((s) => [get(s), h2.reset(s, h2.CANCEL)]),
  'rapid reset of requests that are answered': streams((s) => [get(s, '/a'), h2.reset(s, h2.CANCEL)]),
  'rapid reset of uploads': streams((s) => [post(s), h2.data(s, 'x'), h2.reset(s, h2.CANCEL)]),
  'streams beyond what is allowed at once': streams((s) => [get(s)]),

  'CONTINUATION without end (CVE-2024-27316)': after(
    openHead,
    h2.frame(h2.CONTINUATION, 0, 1, h2.headerBlock([['x-a', 'a'.repeat(16_000)]])),
  ),
  'empty CONTINUATION without end': after(openHead, h2.frame(h2.CONTINUATION, 0, 1)),
  'an HPACK bomb: a large entry of the table, named again and again': streams((s) => [
    h2.frame(
      h2.HEADERS,
      h2.END_HEADERS | h2.END_STREAM,
      s,
      Buffer.concat([
        h2.headerBlock(h2.request('/a')),
        h2.indexedLiteral('x-a', 'a'.repeat(3_900)),
        ...Array.from({ length: 4_000 }, () => h2.indexed(62)),
      ]),
    ),
  ]),
  'heads of too many bytes': streams((s) => [
    h2.headers(s, h2.request('/a', 'GET', fields(4, 'a'.repeat(9_000)))),
  ]),
  'heads of too many fields': streams((s) => [h2.headers(s, h2.request('/a', 'GET', fields(140)))]),
  'malformed heads': streams((s) => [h2.headers(s, h2.request('/a', 'GET', [['Upper', 'a']]))]),

  SETTINGS: frames(h2.settings({ 4: 65_535 })),
  'empty SETTINGS': frames(h2.settings()),
  'SETTINGS that say yes to nothing': frames(h2.settings({}, h2.ACK)),
  PING: frames(h2.frame(h2.PING, 0, 0, Buffer.alloc(8))),
  'PING that answers nothing': frames(h2.frame(h2.PING, h2.ACK, 0, Buffer.alloc(8))),
  PRIORITY: frames(h2.frame(h2.PRIORITY, 0, 1_001, PRIORITY_LOW)),
  'WINDOW_UPDATE of the connection': frames(h2.windowUpdate(0, 1)),
  'WINDOW_UPDATE of a stream': after(get(1), h2.windowUpdate(1, 1)),
  'frames of no known type': frames(h2.frame(0xbe, 0, 0, Buffer.alloc(8))),
  'empty DATA': after(post(1), h2.data(1, '')),
  'DATA that is nothing but padding': after(post(1), h2.frame(h2.DATA, PADDED, 1, Buffer.alloc(256, 255))),
  'DATA after the answer': after(post(1, '/a'), h2.data(1, 'x')),

  'resets provoked (CVE-2025-8671) by WINDOW_UPDATE of nothing': streams((s) => [
    get(s),
    h2.windowUpdate(s, 0),
  ]),
  'resets provoked by WINDOW_UPDATE of too much': streams((s) => [
    get(s),
    h2.windowUpdate(s, 2 ** 31 - 1),
    h2.windowUpdate(s, 2 ** 31 - 1),
  ]),
  'resets provoked by PRIORITY of the wrong size': streams((s) => [
    get(s),
    h2.frame(h2.PRIORITY, 0, s, Buffer.alloc(4)),
  ]),
  'resets provoked by a stream that depends on itself': streams((s) => [
    get(s),
    h2.frame(h2.PRIORITY, 0, s, Buffer.concat([h2.uint32(s), Buffer.of(16)])),
  ]),
  'resets provoked by DATA on a half-closed stream': streams((s) => [get(s), h2.data(s, 'x')]),
  'resets provoked by HEADERS on a half-closed stream': streams((s) => [get(s), get(s)]),
  'resets provoked by a body longer than announced': streams((s) => [
    h2.headers(s, h2.request('/held', 'POST', [['content-length', '1']]), h2.END_HEADERS),
    h2.data(s, 'xx'),
  ]),
};
