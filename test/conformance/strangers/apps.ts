import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import express from 'express';
import { startChild } from '../../../harness/child.ts';
import { freePort } from '../../../harness/port.ts';
import { which } from '../../../setup/commands.mjs';
import { goStranger, pythonStrangers } from '../../../setup/strangers.mjs';
import { startNginx } from '../nginx.ts';
import { type Ask, expects, filled, LARGE } from './asks.ts';
import { script } from './clients.ts';

/** Where an app listens; `h2c` for HTTP/2 by prior knowledge, which may be the same port. */
type Running = AsyncDisposable & { readonly port: number; readonly h2c?: number };

/** An app on a server that others wrote. */
export type App = {
  /** Undefined where it is not on this machine. */
  readonly program: string | undefined;
  readonly http10?: true;
  readonly serves: (ask: Ask) => boolean;
  start(): Promise<Running>;
};

const everything = () => true;
const FILE_TIME = 1_700_000_000;

export const apps = {
  'node:http': {
    program: process.execPath,
    serves: ({ path }) => path !== '/file',
    start: () => ofNode(shapes),
  },
  express: { program: process.execPath, serves: everything, start: startExpress },
  'net/http server': {
    program: goStranger(),
    serves: everything,
    async start() {
      const server = await printing(goStranger()!, ['http-server']);
      return { ...server, h2c: server.port };
    },
  },
  'http.server': {
    program: which('python3'),
    http10: true,
    // it passes over an expectation, in HTTP/1.0
    serves: (ask) => !expects(ask) && !['/trailers', '/early', '/gzip', '/file'].includes(ask.path),
    start: () => printing(which('python3')!, [script('http_server.py')]),
  },
  nginx: {
    program: which('nginx', ['/usr/sbin']),
    // it takes 103 for the answer, and trailers of a request in HTTP/2 for an error
    serves: ({ path, trailers }) => path !== '/early' && trailers.length === 0,
    start: nginxBeforeExpress,
  },
} as const satisfies Readonly<Record<string, App>>;

/** Answers in every shape that a response can have, by path. */
const shapes: RequestListener = async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const body = Buffer.concat(pieces);
  const { method = '', url = '', rawHeaders: raw } = request;
  if (url.startsWith('/status/')) {
    const code = Number(url.slice('/status/'.length));
    response.writeHead(code).end(code === 204 || code === 304 ? undefined : `status ${code}`);
    return;
  }
  switch (url) {
    case '/echo':
      response.end(body);
      break;
    case '/large':
      response.setHeader('Content-Length', LARGE).end(filled(LARGE));
      break;
    case '/pieces':
      for (let i = 0; i < 20; i++) response.write(filled(LARGE / 20));
      response.end();
      break;
    case '/trailers':
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': '1', 'X-Unannounced': '2' });
      response.end();
      break;
    case '/early':
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.setHeader('X-Final', 'yes').end('late');
      break;
    case '/gzip':
      if (!/gzip/.test(request.headers['accept-encoding'] ?? '')) response.end(filled(100_000));
      else response.setHeader('Content-Encoding', 'gzip').end(gzipSync(filled(100_000)));
      break;
    case '/redirect':
      response.writeHead(302, { Location: '/status/404' }).end();
      break;
    case '/cookies':
      response.writeHead(200, ['Set-Cookie', 'a=1', 'X-Between', 'x', 'set-cookie', 'b=2']).end();
      break;
    default: {
      const headers = raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1]]] : []));
      const trailers = Object.entries(request.trailers);
      const sum = { length: body.length, sha256: hash('sha256', body) };
      const told = JSON.stringify({ method, target: url, headers, body: sum, trailers });
      response.setHeader('Content-Type', 'application/json').end(told);
    }
  }
};

async function ofNode(listener: RequestListener): Promise<Running> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function startExpress(): Promise<Running> {
  const folder = await folderWithFile();
  const app = express().set('env', 'test');
  app.get('/file', (_request, response) => response.sendFile(join(folder, 'file')));
  app.get('/redirect', (_request, response) => response.redirect('/status/404'));
  const running = await ofNode(app.use(shapes) as RequestListener);
  return {
    port: running.port,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** nginx that serves files, compresses, and asks an Express app for all else. */
async function nginxBeforeExpress(): Promise<Running> {
  const behind = await startExpress();
  const folder = await folderWithFile();
  const h2c = await freePort();
  const nginx = await startNginx(
    'default_type text/plain; gzip on; gzip_min_length 1; client_max_body_size 0; absolute_redirect off;',
    [
      `listen 127.0.0.1:${h2c} http2; root ${folder};`,
      'location = /file { gzip off; } location = /gzip { try_files /file =404; }',
      'location = /large { gzip off; } location = /redirect { return 302 /status/404; }',
      `location / { gzip off; proxy_pass http://127.0.0.1:${behind.port}; proxy_http_version 1.1; proxy_set_header Host $http_host; }`,
    ],
  );
  return {
    port: nginx.port,
    h2c,
    async [Symbol.asyncDispose]() {
      await nginx[Symbol.asyncDispose]();
      await behind[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function folderWithFile(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-strangers-'));
  for (const [name, size] of [
    ['file', 100_000],
    ['large', LARGE],
  ] as const) {
    writeFileSync(join(folder, name), filled(size));
    utimesSync(join(folder, name), FILE_TIME, FILE_TIME);
  }
  return folder;
}

/** A program that prints the port it listens on, and ends with its standard input. */
export async function printing(program: string, args: readonly string[]): Promise<Running> {
  const child = await startChild(program, args, {
    env: { ...process.env, PYTHONPATH: pythonStrangers() ?? '', PYTHONDONTWRITEBYTECODE: '1' },
  });
  const deadline = Date.now() + 20_000;
  while (!child.stdout().includes('\n')) {
    if (Date.now() > deadline) throw new Error(`${program} does not listen: ${child.stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { port: Number(child.stdout()), [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}
