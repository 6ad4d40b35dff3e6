import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Accepted, Gate, Relay } from '../relay/index.ts';
import { StreamExchange } from './exchange.ts';
import { Heartbeat } from './heartbeat.ts';
import { CONNECTION_WINDOW, serverOptions } from './limits.ts';

/** After its last stream a peer gets this long to read what was sent, and to close. */
const LINGER_MS = 2_000;

/** Serves a connection that speaks HTTP/2. */
export function acceptHttp2(socket: Socket, gate: Gate, relay: Relay): Accepted {
  return new Http2Downstream(socket, gate, relay);
}

/** A connection that we accepted, and its streams, each judged by itself. */
export class Http2Downstream implements Accepted {
  readonly gate: Gate;
  readonly relay: Relay;
  private readonly socket: Socket;
  private readonly session: ServerHttp2Session;
  private readonly heartbeat: Heartbeat;
  private readonly exchanges = new Set<StreamExchange>();
  private deadline: number;

  constructor(socket: Socket, gate: Gate, relay: Relay) {
    const { limits, ticker } = relay;
    this.socket = socket;
    this.gate = gate;
    this.relay = relay;
    this.deadline = ticker.in(limits.headMs);
    this.session = performServerHandshake(socket, serverOptions(limits.head));
    this.session.setLocalWindowSize(CONNECTION_WINDOW);
    this.heartbeat = new Heartbeat(this.session, ticker.in(limits.pingMs));
    this.session.on('stream', (stream, fields, _flags, raw) => this.open(stream, fields, raw));
    // the peer is one that speaks HTTP/2: it may be quiet
    this.session.once('remoteSettings', () => this.rest());
    // `close` follows, and tells all there is to do
    this.session.on('error', () => {});
    socket.on('close', () => relay.closed(this));
  }

  drain(): void {
    if (!this.session.destroyed) this.session.close();
    this.deadline = this.relay.ticker.in(LINGER_MS);
  }

  cut(): void {
    // not the session first: it would end its streams as if they were whole
    this.socket.destroy();
  }

  sweep(now: number): void {
    const { ticker, limits } = this.relay;
    for (const exchange of this.exchanges) exchange.sweep(now);
    if (this.exchanges.size > 0) {
      if (!this.heartbeat.beat(now, () => ticker.in(limits.pingMs))) this.cut();
    } else if (now >= this.deadline) {
      if (this.session.closed || this.session.destroyed) this.cut();
      else this.drain();
    }
  }

  forget(exchange: StreamExchange): void {
    this.exchanges.delete(exchange);
    if (this.exchanges.size === 0) this.rest();
  }

  private open(stream: ServerHttp2Stream, fields: IncomingHttpHeaders, raw: string[]): void {
    const exchange = new StreamExchange(this, stream, fields);
    this.exchanges.add(exchange);
    exchange.begin(fields, raw);
  }

  /** Nothing is under way. */
  private rest(): void {
    const { ticker, limits } = this.relay;
    this.deadline = ticker.in(this.session.closed ? LINGER_MS : limits.idleMs);
  }
}
