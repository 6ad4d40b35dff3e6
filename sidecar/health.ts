import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from '../lib/adapter/http.ts';
import type { Log } from '../lib/adapter/log.ts';
import { type Address, formatAddress } from './address.ts';
import type { Controls } from './controls.ts';

export type HealthDeps = Pick<Controls, 'missing'> & { readonly listen: Address; readonly log: Log };

export interface Health extends AsyncDisposable {
  /** `0.0.0.0:15021` */
  readonly address: string;
}

const MOST_CONNECTIONS = 32;
const QUIET_MS = 2_000;

/**
 * Answers `GET /healthz` and `GET /readyz`, and nothing else. Whoever runs the machine asks from outside, as a kubelet does, so anybody
 * can: an answer is a status and one word, and what is missing is told on the admin listener alone.
 * @throws when the address is taken
 */
export async function startHealth({ listen, missing, log }: HealthDeps): Promise<Health> {
  const times = { requestTimeout: QUIET_MS, headersTimeout: QUIET_MS, connectionsCheckingInterval: 1_000 };
  const server = createServer({ ...times, maxHeaderSize: 4_096 });
  server.on('connection', bounded(MOST_CONNECTIONS));
  server.setTimeout(QUIET_MS, (socket) => socket.destroy());
  server.on('request', (request, response) => {
    request.resume();
    const [status, word] = answerTo(request, missing);
    // One question each: a connection that stays would keep another probe out.
    response.writeHead(status, { 'Content-Type': 'text/plain', Connection: 'close' });
    response.end(request.method === 'HEAD' ? undefined : `${word}\n`);
  });
  server.listen(listen.port, listen.host);
  await once(server, 'listening');
  const { address: host, port } = server.address() as AddressInfo;
  const address = formatAddress({ host, port });
  log.info('listening', { what: 'health', address });
  return {
    address,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** Beyond `most`, whoever has most of them loses his oldest: nobody keeps the kubelet out by holding all there are. */
function bounded(most: number): (socket: Socket) => void {
  const open = new Set<Socket>();
  return (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (open.size <= most) return;
    const bySource = [...Map.groupBy(open, ({ remoteAddress }) => remoteAddress).values()];
    const [oldest] = bySource.reduce((a, b) => (b.length > a.length ? b : a));
    oldest?.destroy();
  };
}

function answerTo({ method, url }: IncomingMessage, missing: Controls['missing']): [number, string] {
  if (url !== '/healthz' && url !== '/readyz') return [404, 'nothing here'];
  if (method !== 'GET' && method !== 'HEAD') return [405, 'GET only'];
  return url === '/healthz' || missing().length === 0 ? [200, 'ok'] : [503, 'not ready'];
}
