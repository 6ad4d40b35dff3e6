import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { HeadWriter, RequestHead } from '../http1/index.ts';
import { Downstream, type Relay } from './downstream.ts';
import type { RelayLimits } from './limits.ts';
import type { Gate } from './route.ts';
import { Ticker } from './ticker.ts';

export type Listen = { readonly host: string; readonly port: number };

export type ListenerDeps = {
  readonly limits: RelayLimits;
  readonly server: Server;
  /** `secureConnection` when a peer is known only after its handshake. */
  readonly event: 'connection' | 'secureConnection';
  /** Makes the gate of one connection, from what is known of its peer. */
  gate(socket: Socket): Gate;
};

const READ_BUFFER = 65_536;

/** A listening port and the connections it accepted. */
export class Listener {
  readonly ticker = new Ticker();
  readonly writer = new HeadWriter();
  readonly readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER);
  readonly limits: RelayLimits;
  private readonly server: Server;
  private readonly connections = new Set<Downstream>();
  private draining = false;
  private emptied: (() => void) | null = null;

  constructor(deps: ListenerDeps) {
    const { server, limits } = deps;
    this.server = server;
    this.limits = limits;
    if (limits.connections !== 0) server.maxConnections = limits.connections;
    const relay: Relay = {
      limits,
      ticker: this.ticker,
      writer: this.writer,
      requestHead: new RequestHead(),
      closed: (down) => {
        this.connections.delete(down);
        if (this.connections.size === 0) this.emptied?.();
      },
    };
    server.on(deps.event, (socket: Socket) => {
      const down = new Downstream(socket, deps.gate(socket), relay);
      this.connections.add(down);
      if (this.draining) down.drain();
    });
    this.ticker.each(() => {
      for (const down of this.connections) down.sweep(this.ticker.now);
    });
  }

  /** @returns the address as `host:port`, with the port that was given by the kernel if 0 was asked for */
  async listen({ host, port }: Listen): Promise<string> {
    this.server.listen({ host, port, backlog: 1024 });
    await once(this.server, 'listening');
    const bound = this.server.address() as AddressInfo;
    return `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
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
    this.draining = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const down of this.connections) down.drain();
    const empty = new Promise<void>((resolve) => {
      this.emptied = resolve;
      if (this.connections.size === 0) resolve();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([empty, late]);
    clearTimeout(timer);
    const left = this.connections.size;
    for (const down of this.connections) down.cut();
    this.ticker[Symbol.dispose]();
    if (left > 0) await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100))]);
    return left;
  }
}
