import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { type Bundle, bundleToPem } from '../lib/svid/index.ts';
import type { ServerCredential } from './certificate.ts';
import type { Config } from './config.ts';
import type { Listen } from './config-values.ts';
import { type RateLimit, sourceOf } from './limits.ts';
import { PROBLEM_TYPE, Problem, type ProblemCode, problemDocument } from './problem.ts';

/** The listener of the API. */
export interface BrokerServer {
  /** Shows this in handshakes to come; connections that are open go on. */
  useCredential(credential: ServerCredential, bundle: Bundle): void;
  /** `host:port` */
  listen(at: Listen): Promise<string>;
  /**
   * Takes no new connection and ends each open one when it has been answered, or has been quiet for a moment: between a challenge and
   * its attestation a connection is quiet. What is left after `ms` is cut.
   */
  drain(ms: number): Promise<void>;
}

export type BrokerServerDeps = {
  readonly limits: Config['limits'];
  readonly perSource: RateLimit;
  readonly newCorrelationId: () => string;
};

const QUIET_MS = 1_000;
const SILENT_MS = 60_000;

export function createBrokerServer(listener: RequestListener, deps: BrokerServerDeps): BrokerServer {
  const { limits } = deps;
  const server = createServer(
    {
      ...FIXED,
      handshakeTimeout: limits.requestMs,
      maxHeaderSize: 16 * 1024,
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: 30_000,
      connectionsCheckingInterval: Math.min(1_000, limits.requestMs),
    },
    listener,
  );
  // Before the handshake, which is what costs.
  server.on('connection', admit(deps));
  // For whoever stops reading in the middle of an answer.
  server.setTimeout(SILENT_MS, (socket) => socket.destroy());
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const code = clientProblem(error.code);
    if (code === undefined || !socket.writable) return void socket.destroy();
    socket.setTimeout(QUIET_MS, () => socket.destroy());
    socket.end(rawProblem(code, deps.newCorrelationId()), () => socket.destroy());
  });
  return {
    useCredential: ({ key, chain }, bundle) =>
      server.setSecureContext({
        ...FIXED,
        key: key.export({ type: 'pkcs8', format: 'pem' }),
        cert: chain,
        ca: bundleToPem(bundle),
      }),
    async listen({ host, port }) {
      server.listen(port, host);
      await once(server, 'listening');
      return formatAddress(server.address() as AddressInfo);
    },
    drain: (ms) => drain(server, ms),
  };
}

/** No tickets and no session cache: a resumed session would skip the look at the client's certificate. */
const FIXED: TlsOptions = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
  requestCert: true,
  // Whether a certificate is needed is the attestor's to say: a workload's first certificate is what it comes for.
  rejectUnauthorized: false,
  ALPNProtocols: ['http/1.1'],
};

/** A source that has so many may be asked for one of them. */
const MANY = 32;

/**
 * Refuses a connection by closing it: a source that has too many, or opens them too fast. When there are as many as there may be, whoever
 * has most of them loses his oldest to one who has far fewer: a few strangers do not keep the API server and the kubelet out.
 */
function admit({ limits, perSource }: BrokerServerDeps): (socket: Socket) => void {
  const open = new Map<string, Set<Socket>>();
  let all = 0;
  return (socket) => {
    const source = sourceOf(socket.remoteAddress);
    const own = open.get(source) ?? new Set();
    open.set(source, own.add(socket));
    all++;
    socket.once('close', () => {
      all--;
      own.delete(socket);
      if (own.size === 0 && open.get(source) === own) open.delete(source);
    });
    if (own.size > limits.connectionsPerSource || !taken(perSource, source)) socket.destroy();
    else if (all > limits.connections) {
      const most = [...open.values()].reduce((a, b) => (b.size > a.size ? b : a));
      const [oldest] = most;
      if (most.size > Math.max(MANY, 2 * own.size)) oldest?.destroy();
      else socket.destroy();
    }
  };
}

function taken(limit: RateLimit, source: string): boolean {
  try {
    limit.take(source);
    return true;
  } catch {
    return false;
  }
}

async function drain(server: HttpsServer, ms: number): Promise<void> {
  const closed = once(server, 'close');
  // Not https.Server's own close: it cuts connections that are quiet at this moment.
  NetServer.prototype.close.call(server);
  server.on('request', (request, response) => {
    // Who has just asked for a challenge comes back on this connection or not at all.
    if (!response.headersSent && request.url !== '/v1/challenge') response.setHeader('Connection', 'close');
  });
  const sweep = setInterval(() => server.closeIdleConnections(), Math.min(QUIET_MS, ms));
  const cut = setTimeout(() => server.closeAllConnections(), ms);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}

/** What can be said to a client whose request could not be read. Undefined where there is nobody to say it to: a broken handshake. */
function clientProblem(code: string | undefined): ProblemCode | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  return code?.startsWith('HPE_') ? 'malformed' : undefined;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** For what fails before there is a request to answer. */
function rawProblem(code: ProblemCode, correlationId: string): string {
  const problem = new Problem(code);
  const body = JSON.stringify(problemDocument(problem, correlationId));
  return [
    `HTTP/1.1 ${problem.status} ${REASONS[problem.status] ?? 'Refused'}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

function formatAddress({ address, port }: AddressInfo): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
