import type { OnReadOpts, Socket } from 'node:net';
import { type HeadWriter, type Problem, ResponseHead } from '../http1/index.ts';
import { type Balance, NO_ADDRESS, ONE_ADDRESS } from './balance.ts';
import type { Caller } from './caller.ts';
import { type Failure, NOWHERE, wasCut } from './failure.ts';
import type { RelayLimits } from './limits.ts';
import { NEVER, type Ticker } from './ticker.ts';
import { Upstream } from './upstream.ts';

/** More idle connections than this are closed rather than kept. */
const MOST_IDLE = 256;
/** The peer announced that it keeps an idle connection so long; we let go of it earlier, by this. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
/** Addresses that one request is offered to. */
const MOST_DIALS = 4;
const NONE: ReadonlySet<number> = new Set();

/** One that we made, to an app or an upstream. */
export interface Connection {
  readonly socket: Socket;
  /** The other end has answered a request on it, and not because of its form: it has read the head of one. */
  readonly answered: boolean;
}

/** How connections to one app or upstream are made, and how their failures are told. */
export interface Connector {
  /** Left out, there is one address. */
  readonly balance?: Balance;
  /** The socket's event after which a request may be written. */
  readonly readyEvent: 'connect' | 'secureConnect';
  /** Begins a connection to the address of this number, to speak HTTP/1.1 on it, or HTTP/2 when `onread` is null. */
  open(address: number, onread: OnReadOpts | null): Socket;
  /** Whether an established connection may carry one more request. */
  usable(connection: Connection): boolean;
  problem(failure: Failure): Problem;
  /** What carries a connection of its making, if it can be reset; TLS cannot say that a stream was cut, but what is below can. */
  transport?(socket: Socket): Socket | undefined;
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
  private readonly balance: Balance;
  private readonly ticker: Ticker;
  private readonly idle: Upstream[] = [];
  private readonly all = new Set<Upstream>();
  private readonly dialling = new Map<Upstream, (failure: Failure) => void>();
  /** Those for whom there is no connection yet, the first come first. */
  private readonly waiting: { readonly caller: Caller; readonly deadline: number }[] = [];
  /** What the peer said of its own patience, less a margin. */
  private heededMs = Number.POSITIVE_INFINITY;
  private retired = false;

  constructor(connector: Connector, deps: PoolDeps) {
    this.connector = connector;
    this.balance = connector.balance ?? ONE_ADDRESS;
    this.limits = deps.limits;
    this.writer = deps.writer;
    this.readBuffer = deps.readBuffer;
    this.ticker = deps.ticker;
  }

  /** An idle connection to the address whose turn it is, or null when one must be dialled. */
  take(): Upstream | null {
    const { idle } = this;
    const address = this.balance.choose(NONE);
    for (let i = idle.length - 1; i >= 0; i--) {
      const up = idle[i]!;
      if (up.address !== address) continue;
      if (i === idle.length - 1) idle.pop();
      else idle.splice(i, 1);
      if (!up.dead && this.connector.usable(up)) {
        this.engage(up);
        return up;
      }
      up.destroy();
    }
    return null;
  }

  /**
   * Makes a connection for `caller`, to the address `avoid` only if there is no other, and to the next when one cannot be reached:
   * nothing of the request is sent before one stands. The last address is asked twice if it cuts the first.
   */
  dial(caller: Caller, avoid = NO_ADDRESS): void {
    const { poolConnections, poolWaiting, connectMs } = this.limits;
    if (poolConnections !== 0 && this.all.size >= poolConnections) {
      const spare = this.idle.shift();
      if (spare === undefined) {
        if (this.waiting.length < poolWaiting)
          this.waiting.push({ caller, deadline: this.ticker.in(connectMs) });
        else process.nextTick(() => this.tooMany(caller));
        return;
      }
      spare.destroy();
    }
    const tried = new Set<number>();
    if (avoid !== NO_ADDRESS) tried.add(avoid);
    const other = this.balance.choose(tried);
    if (other === NO_ADDRESS) tried.clear();
    this.dialTo(other === NO_ADDRESS ? this.balance.choose(NONE) : other, caller, tried);
  }

  private dialTo(address: number, caller: Caller, tried: Set<number>, again = true): void {
    if (address === NO_ADDRESS) {
      process.nextTick(() => this.refuse(caller, NOWHERE));
      return;
    }
    tried.add(address);
    const up: Upstream = new Upstream(this, address, (onread) => this.connector.open(address, onread));
    this.all.add(up);
    this.engage(up);
    up.deadline = this.ticker.in(this.limits.connectMs);
    this.dialling.set(up, (failure) => {
      this.dialling.delete(up);
      this.balance.failed(address, failure);
      const wanted = caller.awaits(this);
      const next = wanted && tried.size < MOST_DIALS ? this.balance.choose(tried) : NO_ADDRESS;
      if (next !== NO_ADDRESS) this.dialTo(next, caller, tried, again);
      else if (wanted && again && wasCut(failure) && this.balance.has(address))
        this.dialTo(address, caller, tried, false);
      else caller.upstreamFailed(failure);
    });
    up.socket.once(this.connector.readyEvent, () => {
      this.dialling.delete(up);
      up.deadline = NEVER;
      if (!caller.awaits(this)) this.release(up);
      else caller.connected(up);
    });
  }

  /** Takes a connection back after an exchange, for who waits for one, or to keep it. */
  release(up: Upstream): void {
    this.disengage(up);
    const useless = this.retired || !this.balance.has(up.address) || this.idle.length >= MOST_IDLE;
    if (useless || (this.waiting.length > 0 && !this.connector.usable(up))) {
      up.destroy();
      return;
    }
    up.reused = true;
    const next = this.nextWaiting();
    if (next !== null) {
      this.engage(up);
      next.connected(up);
      return;
    }
    up.deadline = this.ticker.in(Math.min(this.limits.poolIdleMs || this.heededMs, this.heededMs));
    this.idle.push(up);
  }

  forget(up: Upstream): void {
    if (!this.all.delete(up)) return;
    this.disengage(up);
    const failed = this.dialling.get(up);
    if (failed !== undefined) failed({ kind: 'connect', cause: up.cause, reused: false });
    const at = up.deadline === NEVER ? -1 : this.idle.indexOf(up);
    if (at !== -1) this.idle.splice(at, 1);
    if (this.waiting.length === 0 || this.all.size >= this.limits.poolConnections) return;
    const next = this.nextWaiting();
    if (next !== null) this.dialTo(this.balance.choose(NONE), next, new Set());
  }

  answered(address: number, status: number): void {
    this.balance.answered(address, status);
  }

  failed(address: number, failure: Failure): void {
    this.balance.failed(address, failure);
    if (failure.kind !== 'timeout') return;
    // what does not answer may have gone without a word, and its idle connections with it: new ones would tell
    for (const up of this.idle.filter((each) => each.address === address)) up.destroy();
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

  transport(socket: Socket): Socket | undefined {
    return this.connector.transport?.(socket);
  }

  get size(): number {
    return this.all.size;
  }

  sweep(): void {
    const now = this.ticker.now;
    for (const up of this.all) {
      if (up.deadline > now && (up.engaged || this.balance.has(up.address))) continue;
      const failed = this.dialling.get(up);
      this.dialling.delete(up);
      up.destroy();
      failed?.({ kind: 'connect-timeout', cause: 'timeout', reused: false });
    }
    while (this.waiting.length > 0 && this.waiting[0]!.deadline <= now)
      this.tooMany(this.waiting.shift()!.caller);
  }

  destroy(): void {
    this.retired = true;
    this.dialling.clear();
    this.waiting.length = 0;
    for (const up of this.all) up.abandon();
  }

  private nextWaiting(): Caller | null {
    if (this.waiting.length === 0) return null;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift())
      if (next.caller.awaits(this)) return next.caller;
    return null;
  }

  private tooMany(caller: Caller): void {
    this.refuse(caller, { kind: 'busy', cause: 'too_many_requests', reused: false });
  }

  private refuse(caller: Caller, failure: Failure): void {
    if (caller.awaits(this)) caller.upstreamFailed(failure);
  }

  private engage(up: Upstream): void {
    up.engaged = true;
    this.balance.began(up.address);
  }

  private disengage(up: Upstream): void {
    if (!up.engaged) return;
    up.engaged = false;
    this.balance.ended(up.address);
  }
}
