import { createServer, type Server } from 'node:tls';
import type { Log } from '../../lib/adapter/log.ts';
import type { Counter } from '../../lib/adapter/metrics.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import { tlsContext } from '../tls-context.ts';

export type TlsServersDeps = {
  readonly credentials: Credentials;
  readonly handshakeMs: number;
  readonly log: Log;
  readonly refused: Counter;
};

/** TLS servers that all show the SVID of the moment. Without one, their handshakes fail. */
export class TlsServers {
  private readonly deps: TlsServersDeps;
  private readonly servers: Server[] = [];

  constructor(deps: TlsServersDeps) {
    this.deps = deps;
  }

  /** `mutual`: the client has to show a certificate that chains to the bundle. Otherwise it is not asked for any. */
  make(client: 'mutual' | 'one-way', ALPNProtocols: string[]): Server {
    const { credentials, handshakeMs, log, refused } = this.deps;
    const server = createServer({
      ...tlsContext(credentials.current),
      requestCert: client === 'mutual',
      rejectUnauthorized: true,
      ALPNProtocols,
      handshakeTimeout: handshakeMs,
      allowHalfOpen: true,
      noDelay: true,
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      socket.destroy();
      refused.add(1, { error: error.code ?? 'unknown' });
      log.debug('inbound_handshake', { error });
    });
    this.servers.push(server);
    return server;
  }

  adopt(svid: Svid): void {
    for (const server of this.servers) server.setSecureContext(tlsContext(svid));
  }
}
