import { once } from 'node:events';
import { type AddressInfo, createServer as createPlain, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { type Authority, ORDERS, svid } from '../../sidecar/support.ts';

/** A server that is of no use. */
export type BadUpstream = AsyncDisposable & { readonly port: number; readonly connections: number };

async function started(server: Server): Promise<BadUpstream> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Takes connections, and says nothing. */
export function mute(): Promise<BadUpstream> {
  return started(createPlain());
}

/** Resets a connection as soon as a handshake begins. */
export function resetting(): Promise<BadUpstream> {
  return started(createPlain((socket) => socket.once('data', () => socket.resetAndDestroy())));
}

/** Completes the handshake as ORDERS does, and says nothing after. */
export async function silent(ca: Authority, protocols: readonly string[]): Promise<BadUpstream> {
  const shown = await svid(ca.issuer, ca.root, ORDERS);
  const key = shown.key.export({ type: 'pkcs8', format: 'pem' });
  return started(
    createTls({ key, cert: shown.certChainPem, ALPNProtocols: [...protocols] }, (socket) => {
      socket.on('error', () => {});
      socket.resume();
    }),
  );
}
