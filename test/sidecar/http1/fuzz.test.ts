import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { readTarget, Target } from '../../../sidecar/http1/index.ts';
import { cut, relayed } from './relayed.ts';

const SEED = 20_260_101;
const runs = (numRuns: number) => ({ seed: SEED, numRuns });

/** Pieces of requests, sound and not, out of which a grammar-aware fuzzer builds heads. */
const METHODS = ['GET', 'POST', 'get', 'G T', 'HEAD', 'CONNECT', '', 'PUT'];
const TARGETS = [
  '/',
  '/a/b',
  '/a?b',
  '*',
  'http://x/',
  '/%41',
  '/%2e%2e',
  '/a//b',
  '/a b',
  '/a;b',
  '/é',
  '/a#b',
  '/[',
  '',
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.1 ', 'HTTP/2.0', 'http/1.1', ''];
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', ' \r\n'];
const LINES = [
  ...['Host: x', 'Host: x', 'Host: X', 'host:y', 'Host: a b', 'Host:', ' Host: x'],
  ...[
    'Content-Length: 3',
    'Content-Length: 0',
    'Content-Length: 03',
    'Content-Length: 3, 3',
    'content_length: 3',
    'Content-Length : 3',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: Chunked',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding:\tchunked',
    'Transfer_Encoding: chunked',
  ],
  ...[
    'Connection: close',
    'Connection: x-a, keep-alive',
    'X-A: 1',
    'X_A: 1',
    'x-signet-caller: evil',
    'X_Signet.Caller: evil',
  ],
  ...['Expect: 100-continue', 'A: b\r\n c', 'A: \u0000', 'A', ': b', 'A: é', 'A:b', ''],
];
const BODIES = [
  '',
  'abc',
  '3\r\nabc\r\n0\r\n\r\n',
  '3;x\r\nabc\r\n0\r\n\r\n',
  '0\r\nA: b\r\n\r\n',
  '3\r\nabcd\r\n0\r\n\r\n',
  'ffffffff0\r\n',
];

const from = (texts: readonly string[]) => fc.constantFrom(...texts);
const request = fc
  .tuple(
    from(METHODS.concat(Array(16).fill('POST'))),
    from(TARGETS.concat(Array(20).fill('/a/b?c'))),
    from(VERSIONS.concat(Array(24).fill('HTTP/1.1'))),
    fc.array(fc.tuple(from(LINES), from(ENDS.concat(Array(60).fill('\r\n')))), { maxLength: 6 }),
    from(BODIES),
  )
  .map(([method, target, version, lines, body]) => {
    const fields = lines.map(([line, end]) => line + end).join('');
    return Buffer.from(`${method} ${target} ${version}\r\nHost: x\r\n${fields}\r\n${body}`, 'latin1');
  });

describe('http1 fuzz', () => {
  it('one outcome, however a request is cut into pieces', () => {
    fc.assert(
      fc.property(
        request,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
        (bytes, where) => {
          const at = where.map((x) => Math.floor(x * bytes.length)).sort((a, b) => a - b);
          const whole = relayed([bytes]);
          const pieces = relayed(cut(bytes, ...at));
          // a piece may bring the end of a request together with the start of what is wrong after it, never the other way round
          assert.deepEqual(pieces, whole);
        },
      ),
      runs(3_000),
    );
  });

  it('bytes at random never throw, and never pass', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const outcome = relayed([Buffer.from(bytes)]);
        assert.ok(outcome === 'incomplete' || 'refused' in outcome);
      }),
      runs(3_000),
    );
  });

  it('one byte changed never lets through a name of ours, a control character or a second Host', () => {
    const sound = Buffer.from(
      'POST /a/b?c=d HTTP/1.1\r\nHost: orders\r\nX-Signet-Caller: evil\r\nConnection: x-a\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n',
    );
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.nat(255), (at, byte) => {
        const bytes = Buffer.from(sound);
        bytes[at] = byte;
        const outcome = relayed([bytes]);
        if (outcome === 'incomplete' || 'refused' in outcome) return;
        const head = outcome.forwarded.slice(0, outcome.forwarded.indexOf('\r\n\r\n'));
        const lines = head.split('\r\n').slice(1);
        assert.doesNotMatch(head.replaceAll('\r\n', ''), /[\0-\x08\x0a-\x1f\x7f]/);
        assert.equal(lines.filter((line) => /^host:/i.test(line)).length, 1);
        assert.ok(!lines.some((line) => /^x[^a-z0-9]signet([^a-z0-9]|$)/i.test(line.split(':')[0]!)), head);
        assert.ok(lines.filter((line) => /^(transfer-encoding|content-length):/i.test(line)).length <= 1);
      }),
      runs(6_000),
    );
  });

  it('a path in canonical form is its own, and decodes to what was sent', () => {
    const piece = from([
      'a',
      'B',
      '.',
      '..',
      '/',
      '//',
      '%',
      '%4',
      '%41',
      '%2f',
      '%2E',
      '%c3%bc',
      '%c3',
      '[',
      '|',
      '\\',
      ';',
      '#',
      '~',
      '+',
      ' ',
      '%25',
      '%252f',
      '?',
    ]);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const sent = `/${pieces.join('')}`;
        const bytes = Buffer.from(sent, 'latin1');
        const target = new Target();
        if (readTarget(bytes, 0, bytes.length, target) !== 0) return;
        const { path } = target;
        const again = new Target();
        const canonical = Buffer.from(path);
        assert.equal(readTarget(canonical, 0, canonical.length, again), 0);
        assert.deepEqual([again.path, again.rewritten?.toString() ?? path], [path, path]);
        assert.equal(decodeURIComponent(path), decodeURIComponent(sent.split('?')[0]!));
        const segments = decodeURIComponent(path).split('/').slice(1);
        assert.ok(
          segments.every((s, i) => s !== '.' && s !== '..' && (s !== '' || i === segments.length - 1)),
          path,
        );
      }),
      runs(20_000),
    );
  });
});

describe('http1 against node:http', () => {
  let server: Server;
  let port = 0;
  before(async () => {
    server = createServer({ insecureHTTPParser: false }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('reads what we pass on as one request, with our target, host and body', async () => {
    const passed = fc.sample(request, { seed: SEED, numRuns: 6_000 }).flatMap((bytes) => {
      const outcome = relayed([bytes]);
      return outcome !== 'incomplete' && 'forwarded' in outcome ? [outcome.forwarded] : [];
    });
    const distinct = [...new Set(passed)];
    assert.ok(distinct.length > 50, `${distinct.length} requests passed`);
    for (const forwarded of distinct) {
      const seen = await read(forwarded);
      const [line = ''] = forwarded.split('\r\n', 1);
      assert.deepEqual(seen.requests, [line], forwarded);
      assert.equal(seen.host, 'x');
      assert.equal(seen.body, bodyOf(forwarded), forwarded);
    }
  });

  /** Sends it, then half-closes: what node makes of it, with an error if it is one. */
  async function read(
    forwarded: string,
  ): Promise<{ requests: string[]; host: string | undefined; body: string }> {
    const seen = { requests: [] as string[], host: undefined as string | undefined, body: '' };
    const onRequest = async (request: IncomingMessage) => {
      seen.requests.push(`${request.method} ${request.url} HTTP/${request.httpVersion}`);
      seen.host = request.headers.host;
      for await (const chunk of request) seen.body += (chunk as Buffer).toString('latin1');
    };
    server.on('request', (request, response) => void onRequest(request).then(() => response.end()));
    server.on('checkContinue', (request, response) => server.emit('request', request, response));
    const socket = connect(port, '127.0.0.1');
    socket.end(Buffer.from(forwarded, 'latin1'));
    socket.resume();
    await once(socket, 'close');
    server.removeAllListeners('request');
    server.removeAllListeners('checkContinue');
    return seen;
  }
});

/** The body by the framing that a head announces. */
function bodyOf(message: string): string {
  const end = message.indexOf('\r\n\r\n') + 4;
  const rest = message.slice(end);
  return /^transfer-encoding:/im.test(message.slice(0, end))
    ? (/^3\r\n(abc)\r\n/.exec(rest)?.[1] ?? '')
    : rest;
}
