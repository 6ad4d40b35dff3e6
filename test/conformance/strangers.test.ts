import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { startChild } from '../../harness/child.ts';
import { which } from '../../setup/commands.mjs';
import { pair } from '../sidecar/outbound/world.ts';
import { portOf } from '../sidecar/sockets.ts';

const LARGE = Buffer.alloc(200_000, 'Signet\r\n0\r\n\r\n');

/** Answers in every shape that a response can have, by path. */
const shapes: RequestListener = async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const body = Buffer.concat(pieces);
  response.setHeader('x-method', request.method ?? '');
  switch (request.url) {
    case '/echo':
      response.end(body);
      break;
    case '/chunked':
      response.write('one');
      setTimeout(() => response.end('two'), 20);
      break;
    case '/trailers':
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('body');
      response.addTrailers({ 'x-sum': '1' });
      response.end();
      break;
    case '/204':
    case '/304':
      response.writeHead(Number(request.url.slice(1))).end();
      break;
    case '/large':
      response.end(LARGE);
      break;
    default:
      response.end();
  }
};

/** HTTP/1.1 clients that others wrote: arguments for one exchange, which prints all of the response. */
const PYTHON = `
import hashlib, http.client, sys
port, method, path, sent = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
c = http.client.HTTPConnection('127.0.0.1', port)
for _ in range(3):
    c.request(method, path, body=iter([sent.encode()]) if sent else None, headers={'Host': 'orders'}, encode_chunked=True)
    r = c.getresponse()
    print(r.version, r.status, r.reason)
    for name, value in r.getheaders(): print(name + ': ' + value)
    body = r.read()
    print(len(body), hashlib.sha256(body).hexdigest())
`;
const clients = {
  curl: (port: number, method: string, path: string, body: string) => [
    ...['--silent', '--include', '--raw', '--max-time', '10', '--header', 'Host: orders'],
    ...(method === 'HEAD' ? ['--head'] : ['--request', method]),
    ...(body === '' ? [] : ['--data-binary', body]),
    `http://127.0.0.1:${port}${path}`,
  ],
  python3: (port: number, method: string, path: string, body: string) => [
    ...['-c', PYTHON, String(port), method, path, body],
  ],
};
const exchanges = [
  ['GET', '/echo', ''],
  ['POST', '/echo', 'hello'],
  ['PUT', '/echo', 'x'.repeat(70_000)],
  ['GET', '/chunked', ''],
  ['GET', '/trailers', ''],
  ['HEAD', '/large', ''],
  ['GET', '/large', ''],
  ['GET', '/204', ''],
  ['GET', '/304', ''],
  ['DELETE', '/empty', ''],
] as const;
const apps = {
  'node:http': shapes,
  express: express().disable('x-powered-by').use(shapes) as RequestListener,
};

describe('strangers: HTTP/1.1 through both sidecars as if it were direct', () => {
  for (const [app, listener] of Object.entries(apps))
    for (const [name, args] of Object.entries(clients))
      it(`${name} and ${app}`, async function () {
        if (which(name) === undefined) {
          console.log(`${name} is not on this machine: left out`);
          this.skip();
        }
        await using server = createServer(listener);
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        const { port } = server.address() as AddressInfo;
        await using p = await pair({ inbound: { appPort: port } });
        for (const [method, path, body] of exchanges) {
          const direct = await said(name, args(port, method, path, body));
          const through = await said(name, args(portOf(p.outbound.address), method, path, body));
          assert.ok(direct.includes('200') || direct.includes('04'), direct);
          assert.equal(through, direct, `${method} ${path}`);
        }
      }).timeout(60_000);
});

/** What a client printed, but for the header lines that are of one connection or of one second. */
async function said(name: string, args: readonly string[]): Promise<string> {
  await using child = await startChild(which(name)!, args);
  const { code } = await child.ended;
  assert.equal(code, 0, child.stderr());
  return child.stdout().replace(/^(?:connection|keep-alive|date): .*\r?\n/gim, '');
}
