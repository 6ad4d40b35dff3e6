// A process of its own, so that what it holds can be measured: ORDERS' inbound proxy and an app. Started by besieged.ts.

import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createInbound } from '../../../sidecar/inbound/index.ts';
import { ALLOW_WEB, authority, clock, credentialsFor, decider, ORDERS, quiet, WEB } from '../support.ts';
import type { Memory, Started } from './besieged.ts';

const PIECE = Buffer.alloc(65_536, 'x');
const PIECES = 128;

/** 8 MiB, as fast as they are taken. */
function pourInto(response: Writable, left = PIECES): void {
  for (; left > 0; left--)
    if (!response.write(PIECE)) {
      response.once('drain', () => pourInto(response, left - 1));
      return;
    }
  response.end();
}

function answer(path: string | undefined, response: Writable): void {
  if (path === '/large') pourInto(response);
  else if (path !== '/held' && path !== '/unread') response.end('ok');
}

const http2 = process.argv[2] === 'h2c';
const app: HttpServer | Http2Server = http2
  ? createHttp2Server((request, response) => answer(request.url, response as unknown as Writable))
  : createServer((request, response) => answer(request.url, response));
app.on('sessionError', () => {});
app.listen(0, '127.0.0.1');
await once(app, 'listening');

const ca = await authority();
const web = await credentialsFor(ca, WEB);
const inbound = await createInbound({
  listen: { host: '127.0.0.1', port: 0 },
  app: { host: '127.0.0.1', port: (app.address() as AddressInfo).port, ...(http2 ? { h2c: true } : {}) },
  trustDomain: 'example.org',
  credentials: await credentialsFor(ca, ORDERS),
  decider: decider([ALLOW_WEB], { accepting: true, record: () => {} }),
  clock,
  log: quiet,
  metrics: createMetrics(),
});
const { key, certChainPem, bundlePem } = web.current!;
const started: Started = {
  address: inbound.address,
  key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
  certChainPem,
  bundlePem,
};
process.send!(started);
process.on('message', () => {
  globalThis.gc!();
  const { rss, heapUsed, external } = process.memoryUsage();
  const memory: Memory = { rss, held: heapUsed + external, connections: inbound.connections };
  process.send!(memory);
});
process.on('disconnect', () => process.exit(0));
