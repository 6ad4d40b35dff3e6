import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HeadWriter, RequestHead } from '../http1/index.ts';
import type { Accept, Accepted, Relay } from './accepted.ts';
import { Downstream } from './downstream.ts';
import type { RelayLimits } from './limits.ts';
import { Prelude } from './prelude.ts';
import type { Gate } from './route.ts';
import { NEVER, TICK_MS, Ticker } from './ticker.ts';

export type Listen = { readonly host: string; readonly port: number };

/** What is accepted on one port, and how. */
export type Port = {
  /** `secureConnection` when a peer is known only after its handshake. */
  readonly event: 'connection' | 'secureConnection';
  /** Makes the gate of one connection, from what is known of its peer. */
  gate(socket: Socket): Gate;
  /** Takes over every connection. Left out, they speak HTTP. */
  readonly accept?: Accept;
};

export type ListenerDeps = Port & {
  readonly limits: RelayLimits;
  readonly server: Server;
  /** Takes over connections that speak HTTP/2, as ALPN or, without TLS, their first bytes tell. Left out, all speak HTTP/1. */
  readonly http2?: Accept;
};

const READ_BUFFER = 65_536;
/** What a handshake under way may still take when a drain begins. */
const HANDSHAKE_DRAIN_MS = 1_000;

/** A listening port and the connections it accepted. */
export class Listener {
  readonly ticker = new Ticker();
  readonly writer = new HeadWriter();
  readonly readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER);
  readonly limits: RelayLimits;
  private readonly servers: Server[];
  private readonly relay: Relay;
  private readonly connections = new Set<Accepted>();
  private readonly http2: Accept | undefined;
  /** Connections whose peer is not known yet; a request may be on its way behind the handshake. */
  private readonly handshakes = new Map<string, Socket>();
  /** The tick by which a drain is over, `NEVER` before one began. */
  private drainedBy = NEVER;
  private emptied: (() => void) | null = null;

  constructor(deps: ListenerDeps) {
    const { server, limits } = deps;
    this.servers = [server];
    this.http2 = deps.http2;
    this.limits = limits;
    this.relay = {
      limits,
      ticker: this.ticker,
      writer: this.writer,
      requestHead: new RequestHead(),
      closed: (connection) => {
        this.connections.delete(connection);
        this.tellIfEmpty();
      },
    };
    this.attach(server, deps);
    this.ticker.each(() => {
      for (const down of this.connections) down.sweep(this.ticker.now);
    });
  }

  private attach(server: Server, { event, gate, accept }: Port): void {
    if (this.limits.connections !== 0) server.maxConnections = this.limits.connections;
    if (event === 'secureConnection') server.on('connection', (socket: Socket) => this.handshake(socket));
    server.on(event, (socket: Socket) => {
      const key = endpoint(socket);
      const transport = this.handshakes.get(key) ?? socket;
      this.handshakes.delete(key);
      if (accept === undefined) this.add(this.accept(socket, gate(socket), transport));
      else this.add(accept(socket, gate(socket), this.relay, transport));
    });
  }

  private accept(socket: Socket, gate: Gate, transport: Socket): Accepted {
    const { http2, relay } = this;
    if (http2 === undefined) return new Downstream(socket, gate, relay, transport);
    if (socket instanceof TLSSocket)
      return socket.alpnProtocol === 'h2'
        ? http2(socket, gate, relay, transport)
        : new Downstream(socket, gate, relay, transport);
    const prelude: Prelude = new Prelude(socket, gate, relay, (isHttp2, first) => {
      this.connections.delete(prelude);
      if (isHttp2) {
        socket.pause();
        socket.unshift(first);
        this.add(http2(socket, gate, relay, socket));
        return;
      }
      const down = new Downstream(socket, gate, relay, socket);
      this.add(down);
      down.receive(first);
    });
    return prelude;
  }

  private add(connection: Accepted): void {
    this.connections.add(connection);
    if (this.drainedBy !== NEVER) connection.drain(this.ticker.until(this.drainedBy));
  }

  private handshake(socket: Socket): void {
    const key = endpoint(socket);
    this.handshakes.set(key, socket);
    socket.once('close', () => {
      if (this.handshakes.get(key) === socket) this.handshakes.delete(key);
      this.tellIfEmpty();
    });
  }

  private tellIfEmpty(): void {
    if (this.connections.size + this.handshakes.size === 0) this.emptied?.();
  }

  /** @returns the address as `host:port`, with the port that was given by the kernel if 0 was asked for */
  listen(address: Listen): Promise<string> {
    return bind(this.servers[0]!, address);
  }

  /**
   * One more port: what it accepts is counted, drained and cut with the others.
   * @returns as `listen`
   */
  listenAlso(server: Server, port: Port, address: Listen): Promise<string> {
    this.servers.push(server);
    this.attach(server, port);
    return bind(server, address);
  }

  /** Cuts every connection whose peer may not stay. @returns how many */
  recheck(): number {
    let cut = 0;
    for (const down of this.connections) {
      if (down.gate.standing() === null) continue;
      down.cut();
      cut++;
    }
    return cut;
  }

  get size(): number {
    return this.connections.size;
  }

  /**
   * Accepts no more, lets what is under way end, and cuts what is left after `deadlineMs`.
   * @returns how many connections were cut
   */
  async close(deadlineMs: number): Promise<number> {
    this.drainedBy = this.ticker.now + Math.floor(deadlineMs / TICK_MS);
    const closed = Promise.all(
      this.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
    for (const down of this.connections) down.drain(deadlineMs);
    const empty = new Promise<void>((resolve) => {
      this.emptied = resolve;
      this.tellIfEmpty();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    // A caller who left in the middle of a handshake is not told from one who is slow: neither may hold up the end for long.
    const hurry = setTimeout(() => {
      for (const socket of this.handshakes.values()) socket.destroy();
    }, HANDSHAKE_DRAIN_MS);
    await Promise.race([empty, late]);
    clearTimeout(timer);
    clearTimeout(hurry);
    const left = this.connections.size;
    for (const down of this.connections) down.cut();
    for (const socket of this.handshakes.values()) socket.destroy();
    this.ticker[Symbol.dispose]();
    if (left > 0) await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100))]);
    return left;
  }
}

async function bind(server: Server, { host, port }: Listen): Promise<string> {
  server.listen({ host, port, backlog: 1024 });
  await once(server, 'listening');
  const bound = server.address() as AddressInfo;
  return `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/** The other end's address and port, which no other live connection to this listener has. */
function endpoint(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
