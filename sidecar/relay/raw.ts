import type { Socket } from 'node:net';
import { RequestHead } from '../http1/index.ts';
import type { Accept, Accepted, Relay } from './accepted.ts';
import type { Caller } from './caller.ts';
import type { Failure } from './failure.ts';
import type { Pool } from './pool.ts';
import { type Gate, Pending, Refused } from './route.ts';
import { reset, type Side, Splice } from './splice.ts';
import { NEVER } from './ticker.ts';
import type { Upstream } from './upstream.ts';

/** The method by which policy knows a raw connection. No HTTP request that is served has it. */
const METHOD = 'CONNECT';
const PROTOCOL = 'tcp';

/** Takes over connections without a protocol that we know. To the gate each is one request, `CONNECT` with this path. */
export function acceptRaw(path: string): Accept {
  return (socket, gate, relay, transport) => new RawConnection(socket, gate, relay, path, transport);
}

/** A connection that is judged once, connected through, and spliced. Nothing is read from it before the other side stands. */
class RawConnection implements Accepted, Caller, Side {
  readonly isHead = false;
  readonly http11 = true;
  readonly requestSent = true;
  readonly socket: Socket;
  readonly gate: Gate;
  private readonly relay: Relay;
  private readonly transport: Socket;
  private pool: Pool | null = null;
  private over = false;
  private splice: Splice | null = null;
  private drainedBy: number | null = null;
  /** When it has to be judged, while that waits for something. */
  private judgedBy = NEVER;
  private inputEnded = false;
  /** There was an error. Behind one of TLS comes an end that is none. */
  private broken = false;

  constructor(socket: Socket, gate: Gate, relay: Relay, path: string, transport: Socket) {
    this.socket = socket;
    this.gate = gate;
    this.relay = relay;
    this.transport = transport;
    socket.pause();
    socket.on('data', (piece: Buffer) => {
      relay.leftovers.add(piece.length);
      this.splice?.pass(this, piece);
    });
    socket.on('drain', () => this.splice?.drained(this));
    socket.on('end', () => this.ended());
    socket.on('error', () => {
      this.broken = true;
      // an error of TLS closes nothing by itself, and must not be handled within the call of TLS that tells it
      setImmediate(() => socket.destroy());
    });
    socket.on('close', () => this.gone());
    const head = new RequestHead();
    head.method = METHOD;
    head.target.path = path;
    head.via = 'tcp';
    this.judge(head);
  }

  private judge(head: RequestHead): void {
    const verdict = this.gate.admit(head);
    if (verdict instanceof Pending) {
      if (this.judgedBy === NEVER) this.judgedBy = this.relay.ticker.in(this.relay.limits.responseMs);
      void verdict.settled.then(() => {
        if (!this.over) this.judge(head);
      });
      return;
    }
    this.judgedBy = NEVER;
    if (verdict instanceof Refused) this.break();
    else {
      this.pool = verdict.pool;
      verdict.pool.dial(this);
    }
  }

  /** Always: a connection that nobody awaits is kept for the next, and this one was judged for us alone. */
  awaits(): boolean {
    return true;
  }

  connected(up: Upstream): void {
    if (this.over) {
      up.abandon();
      return;
    }
    const { limits, ticker } = this.relay;
    this.splice = new Splice(this, up, {
      ticker,
      idleMs: limits.spliceIdleMs,
      following: null,
      over: this.gate.spliced(PROTOCOL, this.gate.passed, () => this.splice?.cut()),
    });
    up.spliceWith(this.splice);
    if (this.drainedBy !== null) this.splice.drain(ticker.until(this.drainedBy));
    if (this.inputEnded) this.splice.ended(this);
    else this.resume();
  }

  upstreamFailed(failure: Failure): void {
    // there is nobody to tell it to in words; this is what counts it
    this.pool?.problem(failure);
    this.break();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** By a reset: a mere end would say that what was sent is all there was. */
  break(): void {
    this.over = true;
    this.socket.pause();
    reset(this.transport, this.transport !== this.socket);
  }

  drain(ms: number): void {
    this.drainedBy = this.relay.ticker.in(ms);
    this.splice?.drain(ms);
  }

  cut(): void {
    if (this.splice === null) this.break();
    else this.splice.cut();
  }

  sweep(now: number): void {
    if (now >= this.judgedBy && !this.over) this.break();
    this.splice?.sweep(now);
  }

  private ended(): void {
    if (this.broken) return;
    this.inputEnded = true;
    this.splice?.ended(this);
  }

  private gone(): void {
    this.over = true;
    this.splice?.closed(this);
    this.relay.closed(this);
  }

  /** Of these a connection that was never asked for a response tells nothing. */
  upstreamDrained(): void {}
  endsWith(): boolean {
    return true;
  }
  sendInterim(): void {}
  sendHead(): boolean {
    return true;
  }
  send(): boolean {
    return true;
  }
  responseDone(): void {}
}
