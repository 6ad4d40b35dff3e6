import {
  BODY_LARGE,
  BodyFollower,
  type Problem,
  problemResponse,
  type Refusal,
  type RequestHead,
  readOffer,
  refusalOf,
  scanRequest,
  UPGRADE_PIPELINED,
  type WebSocketOffer,
} from '../http1/index.ts';
import { NO_ADDRESS } from './balance.ts';
import type { Caller } from './caller.ts';
import type { Downstream } from './downstream.ts';
import { IDEMPOTENT, MOST_TRIES, TOO_SLOW, UNJUDGED } from './exchange-rules.ts';
import type { Failure } from './failure.ts';
import type { Pool } from './pool.ts';
import { type HeaderFields, Pending, Refused, type Route } from './route.ts';
import type { Splice } from './splice.ts';
import { Tally } from './tally.ts';
import { NEVER } from './ticker.ts';
import type { Upstream } from './upstream.ts';
import { CONNECT, REQUEST_BODY, RESPONSE, RESPONSE_BODY } from './waits.ts';

/** RFC 6455 §4.4, RFC 9110 §15.5.22 */
const VERSION_SERVED = 'sec-websocket-version: 13\r\nupgrade: websocket\r\nconnection: upgrade\r\n';

/**
 * The request under way on an accepted connection, and its answer; one object serves them all, one after the other. Nothing of a
 * request is sent on before the gate let it pass, and every answer of ours is a problem document.
 */
export class Exchange implements Caller {
  /** From the request's judgement to the end of its response. */
  busy = false;
  /** All of the request was received and handed on. */
  requestSent = true;
  isHead = false;
  http11 = true;
  wholeDeadline = NEVER;
  /** The end of the response is that of the connection: only a reset tells that it was cut. */
  unframed = false;
  /** To become a WebSocket, until that is answered. */
  offer: WebSocketOffer | null = null;
  private readonly down: Downstream;
  private readonly body = new BodyFollower();
  private readonly tally = new Tally();
  private responded = false;
  /** The connection ends with this exchange. */
  private last = false;
  private idempotent = false;
  private tries = 0;
  private route: Route | null = null;
  private upstream: Upstream | null = null;
  private dialling = false;
  /** The request as it came, with what there was of its body, while it may have to be sent again. */
  private raw: Buffer | null = null;
  private rawEnd = 0;

  constructor(down: Downstream) {
    this.down = down;
  }

  /** Judges the request that begins `b`, its body at `bodyStart`, and sends it on its way or refuses it. */
  begin(b: Buffer, bodyStart: number, head: RequestHead): void {
    const { limits, ticker } = this.down.relay;
    this.isHead = head.method === 'HEAD';
    this.http11 = head.http11;
    this.last = head.close || !head.http11 || this.down.draining;
    this.responded = false;
    this.unframed = false;
    this.idempotent = IDEMPOTENT.has(head.method);
    this.body.begin(head);
    if (head.websocket && bodyStart < b.length) {
      this.refuseMalformed(refusalOf(UPGRADE_PIPELINED));
      return;
    }
    const verdict = this.down.gate.admit(head);
    if (verdict instanceof Pending) {
      this.down.defer(b, verdict.settled);
      return;
    }
    this.down.judgedBy = NEVER;
    this.tally.begin(this.down.gate.watch ?? null);
    let end = bodyStart;
    if (!this.body.done) {
      if (limits.bodyBytes !== 0 && head.contentLength > limits.bodyBytes) {
        this.refuseMalformed(refusalOf(BODY_LARGE));
        return;
      }
      end = this.follow(b, bodyStart);
      if (end < 0) return;
    }
    this.tally.received = end - bodyStart;
    if (end < b.length) this.down.hold(b.subarray(end));
    if (verdict instanceof Refused) {
      this.refuse(verdict.problem, verdict.close || !this.body.done, verdict.fields);
      return;
    }
    this.busy = true;
    this.offer = head.websocket ? readOffer(head) : null;
    this.requestSent = this.body.done;
    this.wholeDeadline = ticker.in(limits.wholeMs);
    this.route = verdict;
    this.raw = b;
    this.rawEnd = end;
    this.tries = 0;
    const up = verdict.pool.take();
    if (up !== null) this.forward(up, bodyStart, head);
    else this.dial(verdict.pool);
  }

  receiveBody(chunk: Buffer): void {
    const end = this.follow(chunk, 0);
    if (end < 0) return;
    this.raw = null;
    this.requestSent = this.body.done;
    this.tally.received += end;
    if (end < chunk.length) this.down.hold(chunk.subarray(end));
    this.waitOn();
    const flowing = this.upstream!.socket.write(end < chunk.length ? chunk.subarray(0, end) : chunk);
    if (!flowing && !this.requestSent) this.down.pause();
  }

  awaits(pool: Pool): boolean {
    return this.dialling && this.route?.pool === pool;
  }

  connected(up: Upstream): void {
    const { limits, requestHead } = this.down.relay;
    const b = this.raw!;
    this.dialling = false;
    this.forward(up, scanRequest(b, 0, b.length, limits.head, requestHead), requestHead);
  }

  upstreamDrained(): void {
    if (!this.requestSent) this.down.resume();
  }

  upstreamFailed(failure: Failure): void {
    if (!this.busy) return;
    this.dialling = false;
    const { pool } = this.route!;
    const address = this.upstream === null ? NO_ADDRESS : this.upstream.address;
    this.upstream = null;
    if (this.responded) {
      this.down.cut();
      return;
    }
    const unseen = failure.kind === 'closed' && failure.reused && this.idempotent && this.requestSent;
    if (unseen && this.raw !== null && this.tries < MOST_TRIES) this.dial(pool, address);
    else this.giveUp(pool.problem(failure));
  }

  endsWith(must: boolean): boolean {
    this.unframed = must;
    // answered before it was whole: the rest would have to be read before another request
    if (must || !this.requestSent || this.down.draining) this.last = true;
    return this.last;
  }

  sendInterim(piece: Buffer): void {
    if (this.http11) this.down.socket.write(piece);
  }

  sendHead(piece: Buffer, status: number, body: number): boolean {
    this.responded = true;
    this.raw = null;
    this.offer = null;
    this.tally.status = status;
    this.tally.sent = body;
    this.waitOn();
    return this.down.socket.write(piece);
  }

  accepted(up: Upstream, piece: Buffer, first: Buffer): Splice {
    this.responded = true;
    this.raw = null;
    this.offer = null;
    this.upstream = null;
    this.wholeDeadline = NEVER;
    this.tally.status = 101;
    this.tally.end(true);
    const splice = this.down.spliceTo(up);
    splice.passedBack(first);
    if (!this.down.socket.write(piece)) up.pause();
    return splice;
  }

  send(piece: Buffer): boolean {
    this.tally.sent += piece.length;
    this.waitOn();
    return this.down.socket.write(piece);
  }

  responseDone(): void {
    this.tally.end(true);
    this.upstream = null;
    this.raw = null;
    this.busy = false;
    this.isHead = false;
    this.wholeDeadline = NEVER;
    if (this.last || !this.requestSent) this.down.finish();
    else this.down.next();
  }

  resumeResponse(): void {
    this.upstream?.resume();
  }

  /** The peer did not send its request in time. */
  tooSlow(): void {
    this.refuseMalformed(TOO_SLOW);
  }

  /** The app or the upstream did not answer in time, or the exchange as a whole took too long. */
  timedOut(): void {
    if (this.responded || this.route === null) this.down.cut();
    else {
      this.upstream?.tooLate();
      this.giveUp(this.route.pool.problem({ kind: 'timeout', cause: 'timeout', reused: false }));
    }
  }

  /** What its judgement waited for did not come. */
  unjudged(): void {
    this.refuse(UNJUDGED, true);
  }

  /** Refuses a message for its form: where the next one begins cannot be known, so the connection ends. */
  refuseMalformed(refusal: Refusal): void {
    this.down.gate.malformed(refusal.code);
    if (this.busy && this.responded) this.down.cut();
    else this.refuse(refusal, true);
  }

  /** Lets go of the connection that served the exchange: its caller is gone, or was answered without it. */
  release(): void {
    const up = this.upstream;
    this.tally.end(false);
    this.upstream = null;
    this.raw = null;
    this.offer = null;
    this.dialling = false;
    this.busy = false;
    this.requestSent = true;
    this.wholeDeadline = NEVER;
    up?.abandon();
  }

  /** Answers for an app or an upstream that did not; the caller's connection goes on if its request was whole. */
  private giveUp(problem: Problem): void {
    this.refuse(problem, !this.body.done);
    if (!this.down.over) this.down.next();
  }

  private refuse(problem: Problem, last: boolean, more: HeaderFields = []): void {
    if (last) this.last = true;
    const told = this.tally.answer(problem);
    this.tally.end(true);
    this.release();
    let fields = problem.status === 426 ? VERSION_SERVED : '';
    for (const [name, value] of more) fields += `${name}: ${value}\r\n`;
    this.down.socket.write(problemResponse(told, { close: this.last, head: this.isHead, fields }));
    this.isHead = false;
    if (this.last) this.down.finish();
  }

  private dial(pool: Pool, avoid = NO_ADDRESS): void {
    this.tries++;
    this.dialling = true;
    if (!this.requestSent) this.down.pause();
    this.down.wait(CONNECT, 0);
    pool.dial(this, avoid);
  }

  private forward(up: Upstream, bodyStart: number, head: RequestHead): void {
    this.upstream = up;
    const own = this.route!.linesFor(head, up);
    const flowing = up.start(
      this,
      this.down.relay.writer.request(this.raw!, head, own, bodyStart, this.rawEnd),
    );
    this.waitOn();
    if (this.requestSent) return;
    if (flowing) this.down.resume();
    else this.down.pause();
  }

  /** Follows the body through `b`. Returns where it ends or `b` does; below zero the request was refused. */
  private follow(b: Buffer, from: number): number {
    const { bodyBytes } = this.down.relay.limits;
    let result = this.body.feed(b, from, b.length);
    if (result >= 0 && bodyBytes !== 0 && this.body.announced > bodyBytes) result = BODY_LARGE;
    if (result < 0) this.refuseMalformed(refusalOf(result));
    return result === 0 ? b.length : result;
  }

  /** Begins anew to wait for what comes next. */
  private waitOn(): void {
    const { limits } = this.down.relay;
    if (this.responded) this.down.wait(RESPONSE_BODY, limits.stallMs);
    else if (this.requestSent) this.down.wait(RESPONSE, limits.responseMs);
    else this.down.wait(REQUEST_BODY, limits.stallMs);
  }
}
