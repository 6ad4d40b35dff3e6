import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { BODY_LARGE, type Problem, type Refusal, type RequestHead, refusalOf } from '../http1/index.ts';
import { type Failure, NEVER, Refused, type RelayLimits, type Route } from '../relay/index.ts';
import type { Carried, Carrier } from './carrier.ts';
import type { Http2Downstream } from './downstream.ts';
import type { FieldList } from './fields.ts';
import { grpcRefusal, grpcTimeoutMs, isGrpc } from './grpc.ts';
import { Http1Carrier } from './http1-carrier.ts';
import { Http2Carrier } from './http2-carrier.ts';
import { refuseStream } from './refused.ts';
import { type RequestText, readRequest } from './request.ts';
import { RequestBody } from './request-body.ts';
import { Http2Route } from './route.ts';
import { trailerObject } from './trailers.ts';
import { cutOff, watchEnd } from './wholeness.ts';

const MOST_TRIES = 3;
/** A gRPC deadline is the two ends' affair; we end what they should have ended, so much later. */
const DEADLINE_GRACE_MS = 1_000;
/** Methods that may be sent again when nobody can tell whether they were served (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
const TOO_SLOW: Problem = {
  status: 408,
  code: 'request_timeout',
  detail: 'the request did not arrive in time',
};

/**
 * One stream that we accepted: judged like a request of HTTP/1.1, carried on by whatever the other end speaks, answered. Nothing of it is
 * sent on before the gate let it pass.
 */
export class StreamExchange implements Carried {
  readonly limits: RelayLimits;
  readonly isHead: boolean;
  readonly grpc: boolean;
  private readonly down: Http2Downstream;
  private readonly stream: ServerHttp2Stream;
  private body: RequestBody | null = null;
  private text: RequestText | null = null;
  private route: Route | null = null;
  private carrier: Carrier | null = null;
  private idempotent = false;
  private tries = 0;
  private responded = false;
  /** Answered, reset or gone. */
  private over = false;
  private trailers: FieldList = [];
  /** Trailers end the response, if only empty ones. */
  private trailing = false;
  /** The caller has to read before more can be sent. */
  private blocked = false;
  private deadline = NEVER;
  private wholeDeadline = NEVER;

  constructor(down: Http2Downstream, stream: ServerHttp2Stream, fields: IncomingHttpHeaders) {
    this.down = down;
    this.stream = stream;
    this.limits = down.relay.limits;
    this.isHead = fields[':method'] === 'HEAD';
    this.grpc = isGrpc(fields['content-type']);
    watchEnd(stream);
    stream.on('error', () => {});
    stream.on('close', () => this.gone());
    stream.on('drain', () => this.drain());
  }

  /** Judges the request and sends it on its way, or refuses it. */
  begin(fields: IncomingHttpHeaders, raw: readonly string[]): void {
    const { limits, down, stream } = this;
    const { requestHead: head } = down.relay;
    const hasBody = !stream.endAfterHeaders;
    const text = readRequest(raw, hasBody, limits.head, head);
    if ('code' in text) {
      this.malformed(text);
      return;
    }
    const verdict = down.gate.admit(head);
    if (verdict instanceof Refused) {
      this.refuse(verdict.problem);
      if (verdict.close) down.drain();
      return;
    }
    if (limits.bodyBytes !== 0 && head.contentLength > limits.bodyBytes) {
      this.malformed(refusalOf(BODY_LARGE));
      return;
    }
    this.text = text;
    this.route = verdict;
    this.idempotent = IDEMPOTENT.has(head.method);
    this.wholeDeadline = down.relay.ticker.in(this.patience(fields['grpc-timeout']));
    if (hasBody) this.body = this.bodyOf(head);
    this.carry(this.overHttp2);
  }

  get hasBody(): boolean {
    return this.body !== null;
  }

  get mayTrail(): boolean {
    // a gRPC request never does, and to announce the end late costs a frame
    return this.hasBody && !this.grpc;
  }

  get requestSent(): boolean {
    return this.body === null || this.body.sent;
  }

  started(flowing: boolean): void {
    this.body?.to(this.carrier!, flowing);
    this.waitOn();
  }

  drained(): void {
    this.body?.flow(true);
    this.waitOn();
  }

  interim(fields: FieldList): void {
    if (this.open && !this.responded) this.stream.additionalHeaders(trailerObject(fields));
  }

  respond(fields: FieldList, ends: boolean, mayTrail: boolean): void {
    if (!this.open) return;
    this.responded = true;
    this.body?.settle();
    this.trailing = mayTrail;
    if (mayTrail) this.stream.on('wantTrailers', () => this.sendTrailers());
    // the app's own date, or none (its types do not know the option)
    const options = { endStream: ends, waitForTrailers: mayTrail, sendDate: false };
    this.stream.respond(fields, options);
    this.waitOn();
  }

  data(piece: Buffer): boolean {
    if (!this.open) return true;
    this.blocked = !this.stream.write(piece);
    this.waitOn();
    return !this.blocked;
  }

  done(trailers: FieldList): void {
    if (this.over) return;
    this.trailers = trailers;
    this.finish();
    this.stream.end();
  }

  failed(failure: Failure, unseen: boolean): void {
    if (this.over) return;
    this.carrier = null;
    const unanswered = failure.kind === 'closed' && failure.reused && this.idempotent && this.requestSent;
    const again = !this.responded && (unseen || unanswered) && this.tries < MOST_TRIES;
    if (again && (this.body?.repeatable ?? true)) this.carry(this.overHttp2);
    else this.giveUp(this.route!.pool.problem(failure));
  }

  wasReset(code: number): void {
    if (!this.over) this.cut(code);
  }

  unspoken(): void {
    this.tries--;
    this.carry(false);
  }

  sweep(now: number): void {
    if (now < this.deadline && now < this.wholeDeadline) return;
    if (this.over) cutOff(this.stream);
    else if (!this.responded && !this.requestSent && !this.body!.held && now < this.wholeDeadline)
      this.refuse(TOO_SLOW);
    else this.giveUp(this.route!.pool.problem({ kind: 'timeout', cause: 'timeout', reused: false }));
  }

  private get open(): boolean {
    return !this.over && !this.stream.closed;
  }

  private get overHttp2(): boolean {
    return this.route instanceof Http2Route && this.route.sessions.spoken;
  }

  private bodyOf(head: RequestHead): RequestBody {
    return new RequestBody({
      stream: this.stream,
      announced: head.contentLength,
      mostBytes: this.limits.bodyBytes,
      moved: () => this.waitOn(),
      malformed: (refusal) => this.malformed(refusal),
    });
  }

  private carry(http2: boolean): void {
    const { route, text } = this;
    this.tries++;
    this.deadline = NEVER;
    this.body?.hold();
    this.carrier =
      http2 && route instanceof Http2Route
        ? new Http2Carrier(this, this.down.relay, route, text!)
        : new Http1Carrier(this, this.down.relay, route!, text!);
    this.carrier.start();
  }

  private malformed(refusal: Refusal): void {
    this.down.gate.malformed(refusal.code);
    if (this.responded) this.cut(constants.NGHTTP2_PROTOCOL_ERROR);
    else this.refuse(refusal);
  }

  /** No answer, or no more of one, will come. */
  private giveUp(problem: Problem): void {
    if (!this.responded) this.refuse(problem);
    else if (this.grpc && this.trailing && !this.blocked) {
      // in gRPC the end of a response says how it went
      this.carrier?.abandon();
      this.done(grpcRefusal(problem).slice(GRPC_STATUS));
    } else this.cut(constants.NGHTTP2_INTERNAL_ERROR);
  }

  private refuse(problem: Problem): void {
    this.carrier?.abandon();
    if (!this.open) return;
    this.finish();
    refuseStream(this.stream, problem, this);
  }

  /** What was sent of the answer is not to be taken for a whole one. */
  private cut(code: number): void {
    this.over = true;
    this.carrier?.abandon();
    this.carrier = null;
    cutOff(this.stream, code || constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** The answer is on its way, and with it the exchange ends. */
  private finish(): void {
    this.over = true;
    this.carrier = null;
    this.waitOn();
    if (this.requestSent || this.trailing) return;
    if (this.stream.writableFinished) this.endRequest();
    else this.stream.once('finish', () => this.endRequest());
  }

  private sendTrailers(): void {
    this.stream.sendTrailers(trailerObject(this.trailers));
    // node sends them at the next turn
    if (!this.requestSent) setImmediate(() => this.endRequest());
  }

  /** Answered before the request was complete: the rest of it is not wanted (RFC 9113 §8.1). */
  private endRequest(): void {
    this.body?.drop();
    this.stream.close(constants.NGHTTP2_NO_ERROR);
  }

  private drain(): void {
    this.blocked = false;
    this.carrier?.resume();
    this.waitOn();
  }

  private gone(): void {
    this.over = true;
    this.carrier?.abandon();
    this.carrier = null;
    this.down.forget(this);
  }

  /** How long it may take as a whole. */
  private patience(grpcTimeout: string | string[] | undefined): number {
    const { wholeMs } = this.limits;
    const timeoutMs = this.grpc ? grpcTimeoutMs(String(grpcTimeout)) : Number.POSITIVE_INFINITY;
    return Math.min(wholeMs === 0 ? Number.POSITIVE_INFINITY : wholeMs, timeoutMs + DEADLINE_GRACE_MS);
  }

  /** Begins anew to wait for what comes next. */
  private waitOn(): void {
    const { stallMs, responseMs } = this.limits;
    const stalled = this.over || this.blocked || (this.body?.held ?? false);
    // a stream of gRPC may be quiet for as long as its ends like
    if (this.grpc && !stalled) this.deadline = NEVER;
    else
      this.deadline = this.down.relay.ticker.in(
        this.requestSent && !this.responded && !this.over ? responseMs : stallMs,
      );
  }
}

/** Where the status stands in a refusal of gRPC, behind the fields of its head. */
const GRPC_STATUS = 4;
