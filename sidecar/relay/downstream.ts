import type { Socket } from 'node:net';
import { NEED_MORE, type RequestHead, refusalOf, scanRequest, UPGRADE_PIPELINED } from '../http1/index.ts';
import type { Accepted, Relay } from './accepted.ts';
import { Exchange } from './exchange.ts';
import { Gathering } from './gathering.ts';
import type { Gate } from './route.ts';
import { reset, type Side, type Splice } from './splice.ts';
import { NEVER } from './ticker.ts';
import { GOODBYE, HEAD_REST, JUDGEMENT, REQUEST, REQUEST_BODY, SPLICED } from './waits.ts';
import { spliceWebSocket } from './websocket.ts';

/** After the last response the peer gets this long to read it, and so many bytes of its own are thrown away. */
const LINGER_MS = 2_000;
const LINGER_BYTES = 1_048_576;
/** A draining connection without a request for so long is closed. */
const QUIET_MS = 500;
/** Bytes of later requests held while one is answered. */
const MOST_HELD = 65_536;
const LF = 0x0a;
const WEBSOCKET = 'websocket';

/**
 * A connection that we accepted: cuts what comes into requests, has one exchange at a time, and keeps the times. A socket error needs no
 * handling of its own, `close` follows it.
 */
export class Downstream implements Accepted, Side {
  readonly socket: Socket;
  readonly gate: Gate;
  readonly relay: Relay;
  readonly exchange: Exchange;
  draining = false;
  private drainedBy = NEVER;
  /** What became of the connection when an app accepted a WebSocket. */
  private splice: Splice | null = null;
  /** The last response was sent; what still comes is thrown away. */
  over = false;
  private waiting = REQUEST;
  private deadline: number;
  private inputEnded = false;
  private paused = false;
  /** The request that begins what is held waits for its judgement. */
  private judging = false;
  /** When it has to have one, however often it waits for that; `NEVER` when none waits. */
  judgedBy = NEVER;
  private lingered = 0;
  /** Received, and not yet part of a request that was judged. */
  private held: Buffer | null = null;
  /** The request that is held until its body is whole. */
  private gathering: Gathering | null = null;
  private gatheredBy = NEVER;
  private readonly transport: Socket;

  /** `transport` is the socket itself, or the one below TLS. */
  constructor(socket: Socket, gate: Gate, relay: Relay, transport: Socket) {
    this.socket = socket;
    this.gate = gate;
    this.relay = relay;
    this.transport = transport;
    this.exchange = new Exchange(this);
    this.deadline = relay.ticker.in(relay.limits.headMs);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('drain', () => this.drained());
    socket.on('end', () => this.ended());
    socket.on('error', () => {});
    socket.on('close', () => this.gone());
  }

  wait(what: number, ms: number): void {
    this.waiting = what;
    this.deadline = this.relay.ticker.in(ms);
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  /** Keeps what follows the present request in the piece that brought it. */
  hold(rest: Buffer): void {
    this.held = rest;
  }

  /** The request that begins `b` is to be judged again when `settled` is. */
  defer(b: Buffer, settled: Promise<void>): void {
    this.held = b;
    this.judging = true;
    // whoever goes meanwhile is to be noticed, so what comes is read
    if (b.length >= MOST_HELD) this.pause();
    if (this.judgedBy === NEVER) this.judgedBy = this.relay.ticker.in(this.relay.limits.responseMs);
    this.wait(JUDGEMENT, 0);
    void settled.then(() => {
      if (!this.judging) return;
      this.judging = false;
      if (!this.over) this.next();
    });
  }

  /** The exchange is over and the connection may go on with the next. */
  next(): void {
    if (this.held !== null || this.inputEnded) this.drive();
    else this.idle();
    if (this.judging) return;
    if (!this.over && this.exchange.requestSent && (this.held === null || this.held.length < MOST_HELD))
      this.resume();
  }

  /** Ends our side, so that the peer may still read what was sent; a reset would take it away. */
  finish(): void {
    if (this.over) return;
    this.over = true;
    this.held = null;
    this.gathering = null;
    this.exchange.release();
    this.wait(GOODBYE, LINGER_MS);
    this.socket.end();
    this.resume();
  }

  cut(): void {
    if (this.splice !== null) {
      this.splice.cut();
      return;
    }
    const { unframed } = this.exchange;
    this.over = true;
    this.held = null;
    this.gathering = null;
    this.exchange.release();
    if (unframed) reset(this.transport, this.transport !== this.socket);
    else this.socket.destroy();
  }

  break(): void {
    this.over = true;
    this.socket.destroy();
  }

  /** All that comes from now on goes to `up` as it is. */
  spliceTo(up: Side): Splice {
    const { gate, relay } = this;
    this.wait(SPLICED, 0);
    const over = gate.spliced(WEBSOCKET, gate.passed, () => this.splice?.cut());
    this.splice = spliceWebSocket(this, up, relay, over);
    if (this.draining) this.splice.drain(relay.ticker.until(this.drainedBy));
    if (this.inputEnded) this.splice.ended(this);
    return this.splice;
  }

  /** From now on each response says that it is the last; without a request the connection ends soon. */
  drain(ms: number): void {
    this.draining = true;
    this.drainedBy = this.relay.ticker.in(ms);
    this.splice?.drain(ms);
    if (this.waiting === REQUEST) this.wait(REQUEST, QUIET_MS);
  }

  sweep(now: number): void {
    this.splice?.sweep(now);
    if (now >= this.exchange.wholeDeadline) this.exchange.timedOut();
    if (this.gathering !== null && now >= this.gatheredBy) this.exchange.tooSlow();
    if (this.judging && now >= this.judgedBy) {
      this.judging = false;
      this.exchange.unjudged();
    }
    if (now < this.deadline) return;
    if (this.waiting === REQUEST) this.finish();
    else if (this.waiting === GOODBYE) this.socket.destroy();
    else if (this.waiting === HEAD_REST || (this.waiting === REQUEST_BODY && !this.paused))
      this.exchange.tooSlow();
    else this.exchange.timedOut();
  }

  /** Takes in what came on the socket. */
  receive(chunk: Buffer): void {
    this.relay.leftovers.add(chunk.length);
    if (this.splice !== null) this.splice.pass(this, chunk);
    else if (this.over) {
      this.lingered += chunk.length;
      if (this.lingered > LINGER_BYTES) this.socket.destroy();
    } else if (!this.exchange.requestSent) this.exchange.receiveBody(chunk);
    else if (this.gathering !== null) this.gather(this.gathering, chunk);
    else if (this.exchange.offer !== null) this.exchange.refuseMalformed(refusalOf(UPGRADE_PIPELINED));
    else if (this.exchange.busy || this.judging) {
      this.held = this.held === null ? chunk : Buffer.concat([this.held, chunk]);
      if (this.held.length >= MOST_HELD) this.pause();
    } else if (this.held === null) {
      this.held = chunk;
      this.drive();
    } else {
      this.held = Buffer.concat([this.held, chunk]);
      // only by these can a head have become complete, or too large
      if (chunk.includes(LF) || this.held.length >= this.relay.limits.head.headBytes) this.drive();
    }
  }

  /** Takes requests out of what is held, until one has to be waited for. */
  private drive(): void {
    const { limits, requestHead } = this.relay;
    while (this.held !== null && !this.exchange.busy && !this.over && !this.judging) {
      if (this.socket.writableNeedDrain) {
        this.pause();
        return;
      }
      const b = this.held;
      const result = scanRequest(b, 0, b.length, limits.head, requestHead);
      if (result === NEED_MORE) {
        if (this.inputEnded) this.finish();
        else if (this.waiting !== HEAD_REST) this.wait(HEAD_REST, limits.headMs);
        return;
      }
      if (result > 0 && this.lacksBody(b, result, requestHead)) return;
      this.held = null;
      if (result < 0) {
        this.exchange.refuseMalformed(refusalOf(result));
        return;
      }
      this.exchange.begin(b, result, requestHead);
    }
    if (!this.exchange.busy && !this.over && !this.judging) this.idle();
  }

  /** Whether the request that begins `b` is judged only with the rest of its body; that is waited for then. */
  private lacksBody(b: Buffer, bodyStart: number, head: RequestHead): boolean {
    const { limits, ticker } = this.relay;
    const size = bodyStart + head.contentLength;
    if (size <= b.length || this.gate.gathers === undefined || !this.gate.gathers(head)) return false;
    if (limits.bodyBytes !== 0 && head.contentLength > limits.bodyBytes) return false;
    if (this.inputEnded) this.cut();
    else {
      this.held = null;
      this.gathering = new Gathering(b, size);
      this.relay.leftovers.add(size);
      this.gatheredBy = ticker.in(limits.wholeMs);
      this.wait(REQUEST_BODY, limits.stallMs);
    }
    return true;
  }

  private gather(gathering: Gathering, chunk: Buffer): void {
    this.held = gathering.add(chunk);
    if (this.held === null) this.wait(REQUEST_BODY, this.relay.limits.stallMs);
    else {
      this.gathering = null;
      this.drive();
    }
  }

  private idle(): void {
    if (this.inputEnded) this.finish();
    else this.wait(REQUEST, this.draining ? QUIET_MS : this.relay.limits.idleMs);
  }

  private drained(): void {
    if (this.splice !== null) {
      this.splice.drained(this);
      return;
    }
    this.exchange.resumeResponse();
    if (!this.exchange.busy && !this.over && !this.judging && this.gathering === null) this.next();
  }

  private ended(): void {
    this.inputEnded = true;
    if (this.over) return;
    if (this.splice !== null) {
      this.splice.ended(this);
      return;
    }
    if (!this.exchange.requestSent || this.gathering !== null) this.cut();
    else if (!this.exchange.busy && !this.judging) this.drive();
  }

  private gone(): void {
    this.over = true;
    this.gathering = null;
    this.deadline = NEVER;
    this.exchange.release();
    this.splice?.closed(this);
    this.relay.closed(this);
  }
}
