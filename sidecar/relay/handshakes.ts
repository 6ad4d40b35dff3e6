import type { Socket } from 'node:net';

/** Connections whose peer is about to prove who it is; a request may be on its way behind the handshake. */
export class Handshakes {
  private readonly under = new Map<string, { readonly socket: Socket; readonly address: string }>();
  private readonly ended: (address: string) => void;

  /** `ended` is told of each one's end, good or bad, once. */
  constructor(ended: (address: string) => void) {
    this.ended = ended;
  }

  get size(): number {
    return this.under.size;
  }

  begin(socket: Socket): void {
    const key = endpoint(socket);
    this.under.set(key, { socket, address: addressOf(socket) });
    socket.once('close', () => {
      if (this.under.get(key)?.socket === socket) this.end(key);
    });
  }

  /** It has come to its good end. @returns what carries the connection */
  done(socket: Socket): Socket {
    const key = endpoint(socket);
    const handshake = this.under.get(key);
    if (handshake === undefined) return socket;
    this.end(key);
    return handshake.socket;
  }

  destroy(): void {
    for (const { socket } of this.under.values()) socket.destroy();
  }

  private end(key: string): void {
    const { address } = this.under.get(key)!;
    this.under.delete(key);
    this.ended(address);
  }
}

/** Empty when the connection has ended already: it comes from nowhere that could be known. */
export function addressOf(socket: Socket): string {
  return socket.remoteAddress ?? '';
}

/** The other end's address and port, which no other live connection to this listener has. */
function endpoint(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
