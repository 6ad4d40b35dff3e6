import type { OnReadOpts, Socket } from 'node:net';
import { type HeadWriter, type Problem, ResponseHead } from '../http1/index.ts';
import type { Caller } from './caller.ts';
import type { Failure } from './failure.ts';
import type { RelayLimits } from './limits.ts';
import { NEVER, type Ticker } from './ticker.ts';
import { Upstream } from './upstream.ts';

/** More idle connections than this are closed rather than kept. */
const MOST_IDLE = 256;
/** The peer announced that it keeps an idle connection so long; we let go of it earlier, by this. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

/** One that we made, to an app or an upstream. */
export interface Connection {
  readonly socket: Socket;
}

/** How connections to one app or upstream are made, and how their failures are told. */
export interface Connector {
  /** How many addresses there are to try. */
  readonly addresses: number;
  /** The socket's event after which a request may be written. */
  readonly readyEvent: 'connect' | 'secureConnect';
  /** Begins a connection to the address of this number, to speak HTTP/1.1 on it, or HTTP/2 when `onread` is null. */
  open(address: number, onread: OnReadOpts | null): Socket;
  /** Whether an established connection may carry one more request. */
  usable(connection: Connection): boolean;
  problem(failure: Failure): Problem;
}

/** What every pool of a listener shares. */
export type PoolDeps = {
  readonly limits: RelayLimits;
  readonly ticker: Ticker;
  readonly writer: HeadWriter;
  readonly readBuffer: Buffer;
};

/** Connections to one app or upstream, kept alive between exchanges; the last used is used first. */
export class Pool {
  readonly limits: RelayLimits;
  readonly writer: HeadWriter;
  readonly responseHead = new ResponseHead();
  readonly readBuffer: Buffer;
  private readonly connector: Connector;
  private readonly ticker: Ticker;
  private readonly idle: Upstream[] = [];
  private readonly all = new Set<Upstream>();
  private readonly dialling = new Map<Upstream, (failure: Failure) => void>();
  /** What the peer said of its own patience, less a margin. */
  private heededMs = Number.POSITIVE_INFINITY;
  private retired = false;
  private turn = 0;

  constructor(connector: Connector, deps: PoolDeps) {
    this.connector = connector;
    this.limits = deps.limits;
    this.writer = deps.writer;
    this.readBuffer = deps.readBuffer;
    this.ticker = deps.ticker;
  }

  /** An idle connection, or null when one must be dialled. */
  take(): Upstream | null {
    for (let up = this.idle.pop(); up !== undefined; up = this.idle.pop()) {
      if (!up.dead && this.connector.usable(up)) return up;
      up.destroy();
    }
    return null;
  }

  /** Makes a connection for `down`, trying each address once, in turns; nothing of the request is sent before one stands. */
  dial(down: Caller): void {
    this.turn = (this.turn + 1) % this.connector.addresses;
    this.dialFrom(down, this.turn, this.connector.addresses);
  }

  private dialFrom(down: Caller, address: number, untried: number): void {
    const { addresses, readyEvent } = this.connector;
    const up: Upstream = new Upstream(this, (onread) => this.connector.open(address, onread));
    this.all.add(up);
    up.deadline = this.ticker.in(this.limits.connectMs);
    this.dialling.set(up, (failure) => {
      this.dialling.delete(up);
      if (untried > 1 && down.awaits(this)) this.dialFrom(down, (address + 1) % addresses, untried - 1);
      else down.upstreamFailed(failure);
    });
    up.socket.once(readyEvent, () => {
      this.dialling.delete(up);
      up.deadline = NEVER;
      if (!down.awaits(this)) this.release(up);
      else down.connected(up);
    });
  }

  /** Takes a connection back after an exchange. */
  release(up: Upstream): void {
    if (this.retired || this.idle.length >= MOST_IDLE) {
      up.destroy();
      return;
    }
    up.deadline = this.ticker.in(Math.min(this.limits.poolIdleMs || this.heededMs, this.heededMs));
    up.reused = true;
    this.idle.push(up);
  }

  forget(up: Upstream): void {
    if (!this.all.delete(up)) return;
    const failed = this.dialling.get(up);
    if (failed !== undefined) failed({ kind: 'connect', cause: up.cause, reused: false });
    const at = up.deadline === NEVER ? -1 : this.idle.indexOf(up);
    if (at !== -1) this.idle.splice(at, 1);
  }

  /** Keeps idle connections for less time than the peer says it does. */
  heedKeepAlive(seconds: number): void {
    this.heededMs = Math.max(1, seconds * 1000 - KEEP_ALIVE_MARGIN_MS);
  }

  /** No connection is kept from now on: idle ones go, the others after their exchange. */
  retire(): void {
    this.retired = true;
    for (const up of this.idle.splice(0)) up.destroy();
  }

  problem(failure: Failure): Problem {
    return this.connector.problem(failure);
  }

  get size(): number {
    return this.all.size;
  }

  sweep(): void {
    const now = this.ticker.now;
    for (const up of this.all) {
      if (up.deadline > now) continue;
      const failed = this.dialling.get(up);
      this.dialling.delete(up);
      up.destroy();
      failed?.({ kind: 'connect-timeout', cause: 'timeout', reused: false });
    }
  }

  destroy(): void {
    this.retired = true;
    this.dialling.clear();
    for (const up of this.all) up.abandon();
  }
}
