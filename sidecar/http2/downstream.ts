import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { type Accepted, type Gate, NEVER, type Relay } from '../relay/index.ts';
import { type Abuse, Conduct } from './conduct.ts';
import { StreamExchange } from './exchange.ts';
import { Heartbeat } from './heartbeat.ts';
import { CONNECTION_WINDOW, serverOptions } from './limits.ts';

/** After its last stream a peer gets this long to read what was sent, and to close. */
const LINGER_MS = 2_000;
/** A new connection gets this long for its first stream when it comes while we drain: that may be on its way. */
const QUIET_MS = 500;
/** So long before the end of a drain, streams are told that they have to end. */
const PARTING_MS = 1_000;

/** Serves a connection that speaks HTTP/2. */
export function acceptHttp2(socket: Socket, gate: Gate, relay: Relay): Accepted {
  return new Http2Downstream(socket, gate, relay);
}

/** A connection that we accepted, and its streams, each judged by itself. */
export class Http2Downstream implements Accepted {
  readonly gate: Gate;
  readonly relay: Relay;
  readonly conduct: Conduct;
  private readonly socket: Socket;
  private readonly session: ServerHttp2Session;
  private readonly heartbeat: Heartbeat;
  private readonly exchanges = new Set<StreamExchange>();
  /** There was a stream. */
  private began = false;
  private draining = false;
  /** The peer says no more: what waits for it waits in vain. */
  private mute = false;
  /** When nothing has to be under way any more. */
  private deadline: number;
  private drainedBy = NEVER;
  private partAt = NEVER;

  constructor(socket: Socket, gate: Gate, relay: Relay) {
    const { limits, ticker } = relay;
    this.socket = socket;
    this.gate = gate;
    this.relay = relay;
    this.deadline = ticker.in(limits.headMs);
    this.conduct = new Conduct({ ticker, abused: (how) => this.expel(how) });
    this.session = performServerHandshake(socket, serverOptions(limits.head));
    this.session.setLocalWindowSize(CONNECTION_WINDOW);
    this.heartbeat = new Heartbeat(this.session, ticker.in(limits.pingMs));
    this.session.on('stream', (stream, fields, _flags, raw) => this.open(stream, fields, raw));
    // the peer is one that speaks HTTP/2: it may be quiet
    this.session.once('remoteSettings', () => this.rest());
    this.session.on('remoteSettings', () => this.conduct.settings());
    this.session.on('ping', () => this.conduct.ping());
    // `close` follows, and tells all there is to do
    this.session.on('error', () => {});
    // no new stream can come; node would leave it open, and it would be counted, until it has been idle for too long
    socket.on('end', () => {
      this.mute = true;
      this.leave();
    });
    socket.on('close', () => relay.closed(this));
  }

  drain(ms: number): void {
    this.draining = true;
    this.drainedBy = this.relay.ticker.in(ms);
    for (const exchange of this.exchanges) exchange.drain(ms);
    this.partAt = this.relay.ticker.in(Math.max(1, ms - PARTING_MS));
    if (this.began) this.leave();
    else this.deadline = this.relay.ticker.in(QUIET_MS);
  }

  /** WebSockets say goodbye first, unless they have; their connection stays for that, and for nothing else. */
  cut(): void {
    const parting = [...this.exchanges].filter((exchange) => exchange.cut());
    if (parting.length > 0) this.leave();
    else this.destroy();
  }

  private destroy(): void {
    // not the session first: it would end its streams as if they were whole
    this.socket.destroy();
  }

  sweep(now: number): void {
    const { ticker, limits } = this.relay;
    this.conduct.count(this.socket.bytesRead, this.socket.bytesWritten, this.held);
    // asked once: what ends one stream is on its way in its turn
    const flushed = this.exchanges.size > 0 && this.flushed;
    for (const exchange of this.exchanges) {
      exchange.sweep(now, flushed);
      if (this.mute && exchange.waitsForCaller) {
        this.destroy();
        return;
      }
    }
    if (now >= this.partAt) {
      this.partAt = NEVER;
      for (const exchange of this.exchanges) exchange.part();
    }
    if (this.exchanges.size > 0) {
      if (!this.heartbeat.beat(now, () => ticker.in(limits.pingMs))) this.destroy();
    } else if (now >= this.deadline) {
      if (this.session.closed) this.destroy();
      else this.leave();
    }
  }

  /** Takes no new streams, and ends with those it has. */
  leave(): void {
    // tells the peer which streams it may ask for elsewhere
    if (!this.session.destroyed) this.session.close();
    this.deadline = this.relay.ticker.in(LINGER_MS);
  }

  /** Every frame that was handed to it is on its way. */
  private get flushed(): boolean {
    return !this.session.destroyed && this.session.state.outboundQueueSize === 0;
  }

  forget(exchange: StreamExchange): void {
    this.exchanges.delete(exchange);
    if (this.exchanges.size === 0) this.rest();
  }

  /** Bytes of bodies that have come and that nobody has taken yet. */
  private readonly held = (): number => {
    let bytes = 0;
    for (const exchange of this.exchanges) bytes += exchange.held;
    return bytes;
  };

  private expel(how: Abuse): void {
    this.gate.malformed(how);
    if (!this.session.destroyed) this.session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    setImmediate(() => this.cut());
  }

  private open(stream: ServerHttp2Stream, fields: IncomingHttpHeaders, raw: string[]): void {
    const exchange = new StreamExchange(this, stream, fields);
    this.began = true;
    this.exchanges.add(exchange);
    exchange.begin(fields, raw);
    if (!this.draining) return;
    exchange.drain(this.relay.ticker.until(this.drainedBy));
    this.leave();
  }

  /** Nothing is under way. */
  private rest(): void {
    const { ticker, limits } = this.relay;
    if (this.session.closed) this.deadline = ticker.in(LINGER_MS);
    else if (!this.draining) this.deadline = ticker.in(limits.idleMs);
  }
}
