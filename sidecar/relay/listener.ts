import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Listen } from '../address.ts';
import { HeadWriter, RequestHead } from '../http1/index.ts';
import type { Accept, Accepted, Relay } from './accepted.ts';
import { Crowd, type Excess } from './crowd.ts';
import { crowdedGate } from './crowded-gate.ts';
import { Downstream } from './downstream.ts';
import { handOver } from './hand-over.ts';
import { addressOf, Handshakes } from './handshakes.ts';
import { Leftovers } from './leftovers.ts';
import type { RelayLimits } from './limits.ts';
import { Prelude } from './prelude.ts';
import type { Gate } from './route.ts';
import { reset } from './splice.ts';
import { NEVER, TICK_MS, Ticker } from './ticker.ts';

/** What is accepted on one port, and how. */
export type Port = {
  /** `secureConnection` when a peer is known only after its handshake. */
  readonly event: 'connection' | 'secureConnection';
  /** Makes the gate of one connection, from what is known of its peer. */
  gate(socket: Socket): Gate;
  /** Takes over every connection. Left out, they speak HTTP. */
  readonly accept?: Accept;
};

/** What becomes of connections that speak HTTP/2, as ALPN or, without TLS, their first bytes tell. */
export type Http2 = {
  readonly accept: Accept;
  /** Tells one that it is one too many. */
  readonly refuse: Accept;
};

export type ListenerDeps = {
  readonly limits: RelayLimits;
  readonly http2: Http2;
  /** Told of each connection that is one too many. */
  crowded(reason: Excess, peer: string): void;
};

const READ_BUFFER = 65_536;
/** What a handshake under way may still take when a drain begins: a part of the whole, and at least so long. */
const HANDSHAKE_DRAIN_MS = 1_000;
const HANDSHAKE_PART = 1 / 12;
/** So many at a time are told in words that they are too many; the others are reset. */
const MOST_TURNED_AWAY = 256;

/** Listening ports and the connections that they accepted, which are counted, drained and cut together. */
export class Listener {
  readonly ticker = new Ticker();
  readonly leftovers = new Leftovers();
  readonly writer = new HeadWriter((bytes) => this.leftovers.add(bytes));
  readonly readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER);
  readonly limits: RelayLimits;
  private readonly servers: Server[] = [];
  /** Those whose port other processes listen on too. */
  private readonly shared: Server[] = [];
  private readonly relay: Relay;
  private readonly deps: ListenerDeps;
  private readonly crowd: Crowd;
  /** Those that were accepted by the peer they count for, those that are turned away by null. */
  private readonly connections = new Map<Accepted, string | null>();
  private turnedAway = 0;
  private readonly handshakes = new Handshakes((address) => this.crowd.end(address));
  /** The tick by which a drain is over, `NEVER` before one began. */
  private drainedBy = NEVER;
  private emptied: (() => void) | null = null;

  constructor(deps: ListenerDeps) {
    const { limits } = deps;
    this.deps = deps;
    this.crowd = new Crowd(limits);
    this.limits = limits;
    this.relay = {
      limits,
      ticker: this.ticker,
      writer: this.writer,
      leftovers: this.leftovers,
      requestHead: new RequestHead(),
      closed: (connection) => this.closed(connection),
    };
    this.ticker.each(() => {
      for (const down of this.connections.keys()) down.sweep(this.ticker.now);
    });
  }

  private attach(server: Server, { event, gate, accept }: Port): void {
    if (event === 'secureConnection') server.on('connection', (socket: Socket) => this.handshake(socket));
    server.on(event, (socket: Socket) => {
      const transport = this.handshakes.done(socket);
      // its peer was gone before we came to it
      if (socket.destroyed || addressOf(socket) === '') {
        socket.destroy();
        return;
      }
      const own = gate(socket);
      const peer = own.peer ?? addressOf(socket);
      const excess = this.crowd.enter(peer);
      if (excess !== null) this.turnAway(socket, transport, accept === undefined, excess, peer);
      else if (accept === undefined) this.serve(socket, own, this.deps.http2.accept, peer, transport);
      else this.add(accept(socket, own, this.relay, transport), peer);
    });
  }

  /** Takes over a connection that speaks HTTP, of whatever version. */
  private serve(socket: Socket, gate: Gate, http2: Accept, peer: string | null, transport: Socket): void {
    const { relay } = this;
    if (socket instanceof TLSSocket) {
      const isHttp2 = socket.alpnProtocol === 'h2';
      this.add((isHttp2 ? http2 : acceptHttp1)(socket, gate, relay, transport), peer);
      return;
    }
    const prelude: Prelude = new Prelude(socket, gate, relay, (isHttp2, first) => {
      this.connections.delete(prelude);
      if (isHttp2) {
        socket.pause();
        socket.unshift(first);
        this.add(http2(socket, gate, relay, socket), peer);
        return;
      }
      const down = new Downstream(socket, gate, relay, socket);
      this.add(down, peer);
      down.receive(first);
    });
    this.add(prelude, peer);
  }

  private turnAway(socket: Socket, transport: Socket, hasWords: boolean, excess: Excess, peer: string): void {
    this.deps.crowded(excess, peer);
    if (hasWords && this.turnedAway < MOST_TURNED_AWAY) {
      this.turnedAway++;
      this.serve(socket, crowdedGate(excess), this.deps.http2.refuse, null, transport);
      return;
    }
    socket.on('error', () => {});
    reset(transport, transport !== socket);
  }

  private add(connection: Accepted, peer: string | null): void {
    this.connections.set(connection, peer);
    if (this.drainedBy !== NEVER) connection.drain(this.ticker.until(this.drainedBy));
  }

  private closed(connection: Accepted): void {
    const peer = this.connections.get(connection);
    if (!this.connections.delete(connection)) return;
    if (typeof peer === 'string') this.crowd.leave(peer);
    else this.turnedAway--;
    this.tellIfEmpty();
  }

  private handshake(socket: Socket): void {
    const address = addressOf(socket);
    if (address === '') {
      socket.destroy();
      return;
    }
    const excess = this.crowd.begin(address);
    if (excess !== null) {
      this.deps.crowded(excess, address);
      reset(socket, false);
      return;
    }
    this.handshakes.begin(socket);
    socket.once('close', () => this.tellIfEmpty());
  }

  private tellIfEmpty(): void {
    if (this.connections.size + this.handshakes.size === 0) this.emptied?.();
  }

  /** @returns the address as `host:port`, with the port that was given by the kernel if 0 was asked for */
  listen(server: Server, port: Port, address: Listen): Promise<string> {
    this.servers.push(server);
    this.attach(server, port);
    return this.bind(server, address);
  }

  private async bind(server: Server, { host, port, shared }: Listen): Promise<string> {
    server.listen({ host, port, backlog: 1024, reusePort: shared === true });
    await once(server, 'listening');
    if (shared) this.shared.push(server);
    const bound = server.address() as AddressInfo;
    return `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
  }

  /** Cuts every connection whose peer may not stay. @returns how many */
  recheck(): number {
    let cut = 0;
    for (const down of this.connections.keys()) {
      if (down.gate.standing() === null) continue;
      down.cut();
      cut++;
    }
    return cut;
  }

  get size(): number {
    return this.crowd.size;
  }

  /**
   * Accepts no more, lets what is under way end, and cuts what is left after `deadlineMs`. What comes to a shared port goes to the others.
   * @returns how many connections were cut
   */
  async close(deadlineMs: number): Promise<number> {
    this.drainedBy = this.ticker.now + Math.floor(deadlineMs / TICK_MS);
    if (this.shared.length > 0) await handOver(this.shared.splice(0));
    const closed = Promise.all(
      this.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
    for (const down of this.connections.keys()) down.drain(deadlineMs);
    const empty = new Promise<void>((resolve) => {
      this.emptied = resolve;
      this.tellIfEmpty();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    // A caller who left in the middle of a handshake is not told from one who is slow: neither may hold up the end for long.
    const hurry = setTimeout(
      () => this.handshakes.destroy(),
      Math.max(HANDSHAKE_DRAIN_MS, deadlineMs * HANDSHAKE_PART),
    );
    await Promise.race([empty, late]);
    clearTimeout(timer);
    clearTimeout(hurry);
    const left = this.crowd.size;
    for (const down of this.connections.keys()) down.cut();
    this.handshakes.destroy();
    this.ticker[Symbol.dispose]();
    if (left > 0) await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100))]);
    return left;
  }
}

function acceptHttp1(...[socket, gate, relay, transport]: Parameters<Accept>): Accepted {
  return new Downstream(socket, gate, relay, transport);
}
