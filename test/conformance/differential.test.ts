import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { which } from '../../setup/commands.mjs';
import { relayed } from '../sidecar/http1/relayed.ts';
import { dialPlain } from '../sidecar/sockets.ts';
import { corpus } from './corpus.ts';
import { type Message, readRequests } from './messages.ts';
import { startNginx } from './nginx.ts';
import { Recorder } from './recorder.ts';
import { soon } from './soon.ts';

const SEED = 20_261_122;
const SAMPLES = 4_000;
const MOST = 1_200;
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: orders\r\n\r\n';

/** What a server makes of a request, in the same words for all. */
type Reading = {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
  readonly body: string;
};

const one = fc.constantFrom;
const targets = fc
  .tuple(
    fc.array(
      one(
        'a',
        'B',
        '.b',
        '%41',
        '%c3%a9',
        '%20',
        '[x]',
        "!$&'()*,",
        '~',
        '=',
        '%3b',
        '%25',
        '...',
        '%23',
        'ü',
        ';',
        '..',
      ),
      { minLength: 1, maxLength: 4 },
    ),
    one('', '', '?', '?a=b', '?a=%2F..&b[]="', '?/../', '?a#b'),
    one('', '/'),
  )
  .map(([segments, query, slash]) => `/${segments.join('/')}${slash}${query}`);
const names = one(
  'X-A',
  'x-b',
  'X_C',
  'X.D',
  'Accept',
  'Cookie',
  'Authorization',
  'Content-Type',
  'X-A',
  'Range',
  "X!'*|~",
);
const values = one(
  '',
  'a',
  ' a',
  'a ',
  '\ta',
  'a  b',
  'a\tb',
  'a,b',
  'é',
  '"q"',
  'a:b',
  ':',
  '\u0080\u00ff',
  'a\r\n b',
  '=?;',
);
const lines = fc.tuple(names, one(':', ': ', ':  ', ':\t', ' :'), values).map((parts) => parts.join(''));
const bodies = one(
  ...['', 'Content-Length: 0\r\n\r\n', 'Content-Length: 5\r\n\r\nhello', 'content-length:5 \r\n\r\nhel\r\n'],
  'Content-Length: 39\r\n\r\nGET /inner HTTP/1.1\r\nHost: orders\r\n\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding:\tChunked\r\n\r\n00000005\r\nhello\r\na\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n7\r\n0\r\n\r\nGE\r\n0\r\n\r\n',
  'Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
);
const requests = fc
  .tuple(
    one('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'M-SEARCH', 'PROPFIND'),
    targets,
    one('1.1', '1.1', '1.1', '1.1', '1.0'),
    fc.array(lines, { maxLength: 6 }),
    bodies,
  )
  .map(([method, target, version, fields, body]) => {
    const head = `${method} ${target} HTTP/${version}\r\nHost: Orders\r\n${fields.map((line) => `${line}\r\n`).join('')}`;
    return head + (body === '' ? '\r\n' : body);
  });

/** As they go on: what we accept of the corpus and of what is drawn, in our own form. */
function accepted(): string[] {
  const cases = [...corpus('requests').values()].flat().map(({ request }) => request);
  const passed = [...cases, ...fc.sample(requests, { seed: SEED, numRuns: SAMPLES })].flatMap((text) => {
    const outcome = relayed([Buffer.from(text, 'latin1')]);
    return outcome !== 'incomplete' && 'forwarded' in outcome ? [outcome.forwarded] : [];
  });
  return [...new Set(passed)].slice(0, MOST);
}

describe('differential: what we accept is read alike', () => {
  const all = accepted();

  it('enough is accepted', () => {
    assert.ok(all.length > 800, `${all.length} requests`);
  });

  it('by node:http', async () => {
    let begun: Promise<Reading>[] = [];
    let done = 0;
    await using server = createServer({ insecureHTTPParser: false }, async (request, response) => {
      const { promise, resolve } = Promise.withResolvers<Reading>();
      begun.push(promise);
      let body = '';
      for await (const chunk of request) body += (chunk as Buffer).toString('latin1');
      const raw = request.rawHeaders;
      const fields = raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1]!] as const] : []));
      resolve(reading(request.method!, request.url!, fields, body));
      done++;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const text of all) {
      begun = [];
      done = 0;
      await offer(port, text, () => done);
      assert.deepEqual(await Promise.all(begun), expected(text), JSON.stringify(text));
    }
  }).timeout(120_000);

  it('by nginx', async function () {
    if (which('nginx', ['/usr/sbin']) === undefined) {
      console.log('nginx is not on this machine: left out');
      this.skip();
    }
    await using backend = await Recorder.start();
    await using nginx = await startNginx(`upstream app { server 127.0.0.1:${backend.port}; }`, [
      'underscores_in_headers on; ignore_invalid_headers off; client_max_body_size 0;',
      'location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Host $http_host; }',
    ]);
    const refused: string[] = [];
    for (const text of all) {
      const past = backend.requests.length;
      const closed = await offer(nginx.port, text, () => backend.requests.length - past);
      const seen = backend.requests.slice(past).map(readingOf);
      if (seen.length === 0 && closed) refused.push(text);
      else assert.deepEqual(seen, expected(text), JSON.stringify(text));
    }
    // what nginx does not take at all it cannot take for something else, but that is to stay the exception
    assert.ok(
      refused.length < all.length / 20,
      `${refused.length} refused: ${JSON.stringify(refused.slice(0, 9))}`,
    );
  }).timeout(120_000);
});

/** Sends a request and another behind it, and waits until the server has read both or ends the connection, which it then says. */
async function offer(port: number, text: string, seen: () => number): Promise<boolean> {
  using client = await dialPlain(`127.0.0.1:${port}`);
  client.send(text + SENTINEL);
  await soon(
    () => seen() >= 2 || client.closed,
    () => `${seen()} requests of ${JSON.stringify(text)}; heard ${client.received}`,
  );
  return client.closed;
}

/** Nothing behind a request of HTTP/1.0 is served. */
function expected(text: string): Reading[] {
  const { messages } = readRequests(text + SENTINEL);
  return messages.slice(0, / HTTP\/1\.0$/.test(messages[0]!.start) ? 1 : 2).map(readingOf);
}

function readingOf({ start, fields, body }: Message): Reading {
  const [method = '', target = ''] = start.split(' ');
  return reading(method, target, fields, body);
}

/** Each reader frames and connects in its own way; all else it has to hand on as it is. */
function reading(method: string, target: string, fields: Message['fields'], body: string): Reading {
  const kept = fields
    .map(([name, value]) => [name.toLowerCase(), value.replace(/^[ \t]+|[ \t]+$/g, '')] as const)
    .filter(([name]) => !/^(?:content-length|transfer-encoding|connection|expect)$/.test(name));
  return { method, target, fields: kept.map(([name, value]) => `${name}: ${value}`).sort(), body };
}
