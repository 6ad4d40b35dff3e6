import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../lib/adapter/metrics.ts';
import type { Listen } from './config-values.ts';
import type { Health } from './health.ts';
import { readiness } from './routes/public.ts';

/** Health and metrics in the clear, for this machine: there before Vault is, and without a certificate. */
export async function startAdmin(
  at: Listen,
  { health, metrics }: { readonly health: Health; readonly metrics: Metrics },
): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer({ requestTimeout: 5_000, maxHeaderSize: 8 * 1024 }, (request, response) => {
    const { status, type, body } = answer(request.method, request.url, health, metrics);
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body);
  });
  server.listen(at.port, at.host);
  await once(server, 'listening');
  const { address, port } = server.address() as AddressInfo;
  return {
    address: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Plain = { readonly status: number; readonly type: string; readonly body: string };

function answer(
  method: string | undefined,
  url: string | undefined,
  health: Health,
  metrics: Metrics,
): Plain {
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'method not allowed\n');
  switch (url) {
    case '/metrics':
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metrics.render() };
    case '/healthz':
      return text(200, 'ok\n');
    case '/readyz': {
      const { status, body } = readiness(health);
      return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` };
    }
    default:
      return text(404, 'not found\n');
  }
}

function text(status: number, body: string): Plain {
  return { status, type: 'text/plain; charset=utf-8', body };
}
