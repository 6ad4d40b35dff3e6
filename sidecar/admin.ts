import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from '../lib/adapter/http.ts';
import { formatAddress, isLoopback } from './address.ts';
import type { AdminListener } from './config/values.ts';
import type { Controls, Outcome } from './controls.ts';

export type AdminDeps = Controls & {
  readonly listen: AdminListener;
  /** Replaces the processes that serve; left out where there is only this one. */
  readonly restart?: () => Promise<Outcome>;
};

export interface Admin extends AsyncDisposable {
  /** `127.0.0.1:41234` or `unix:/path` */
  readonly address: string;
}

type Answer = { readonly status: number; readonly type: string; readonly body: string };
type Route = (deps: AdminDeps) => Answer | Promise<Answer>;

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /healthz': () => json(200, { ok: true }),
  'GET /readyz': ({ missing }) => {
    const lacking = missing();
    return json(lacking.length === 0 ? 200 : 503, { ready: lacking.length === 0, missing: lacking });
  },
  'GET /metrics': async ({ metrics }) => ({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    body: await metrics(),
  }),
  'GET /status': async ({ status }) => json(200, await status()),
  'GET /jwks': async ({ jwks }) => ({
    status: 200,
    type: 'application/jwk-set+json',
    body: `${JSON.stringify(await jwks())}\n`,
  }),
  'POST /rotate': async ({ rotate }) => outcomeOf(await rotate()),
  'POST /restart': async ({ restart }) =>
    restart === undefined ? problem(404, 'not_found') : outcomeOf(await restart()),
};

/** @throws when the address is taken */
export async function startAdmin(deps: AdminDeps): Promise<Admin> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000, maxHeaderSize: 8_192 });
  server.maxConnections = 64;
  server.on('request', (request, response) => void answer(deps, request, response));
  const address = await listen(server, deps.listen);
  return {
    address,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

async function answer(deps: AdminDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  const { status, type, body } = await respond(deps, request).catch(() => problem(500, 'internal'));
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function respond(deps: AdminDeps, request: IncomingMessage): Promise<Answer> {
  const byTcp = !('socket' in deps.listen);
  if (byTcp && !isLoopback(hostOf(request))) return problem(403, 'foreign_host');
  const path = request.url?.split('?')[0] ?? '';
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = Object.hasOwn(ROUTES, `${method} ${path}`) ? ROUTES[`${method} ${path}`] : undefined;
  if (route === undefined) return problem(404, 'not_found');
  // A page in a browser on this machine can send a POST; it cannot help saying where it comes from.
  if (method !== 'GET' && crossSite(request)) return problem(403, 'cross_site');
  return route(deps);
}

/** Without its port. A browser made to believe that its own page lives on 127.0.0.1 still names the page's host. */
function hostOf(request: IncomingMessage): string {
  return (request.headers.host ?? '').replace(/:\d+$/, '');
}

function crossSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return headers.origin !== undefined || (site !== undefined && site !== 'none');
}

async function listen(server: Server, where: AdminListener): Promise<string> {
  if (!('socket' in where)) {
    server.listen(where.port, where.host);
    await once(server, 'listening');
    const { address: host, port } = server.address() as AddressInfo;
    return formatAddress({ host, port });
  }
  await removeStale(where.socket);
  // The socket is made within this call, and must never be open to others, not even for a moment.
  const mask = process.umask(0o177);
  try {
    server.listen(where.socket);
  } finally {
    process.umask(mask);
  }
  await once(server, 'listening');
  return `unix:${where.socket}`;
}

/** A socket left by a process that was killed; one that somebody still answers on stays, and listening then fails. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (!found?.isSocket()) return;
  const probe = connect(path);
  const answered = await Promise.race([
    once(probe, 'connect').then(() => true),
    once(probe, 'error').then(() => false),
  ]).catch(() => false);
  probe.destroy();
  if (!answered) await unlink(path);
}

function outcomeOf(outcome: Outcome): Answer {
  return json(outcome.ok ? 200 : 503, outcome);
}

function json(status: number, value: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function problem(status: number, code: string): Answer {
  const body = JSON.stringify({ type: 'about:blank', title: code.replaceAll('_', ' '), status, code });
  return { status, type: 'application/problem+json', body: `${body}\n` };
}
