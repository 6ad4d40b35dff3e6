import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import {
  BODY_LARGE,
  type Problem,
  type Refusal,
  type RequestHead,
  refusalOf,
  UPGRADE_PIPELINED,
} from '../http1/index.ts';
import {
  type Failure,
  type HeaderFields,
  IDEMPOTENT,
  MOST_TRIES,
  NEVER,
  Pending,
  Refused,
  type RelayLimits,
  type Route,
  type Side,
  type Splice,
  Tally,
  TOO_SLOW,
  UNJUDGED,
  type Watch,
} from '../relay/index.ts';
import { Answer } from './answer.ts';
import type { Carried, Carrier } from './carrier.ts';
import type { Http2Downstream } from './downstream.ts';
import { type FieldList, secretNames } from './fields.ts';
import { isGrpc } from './grpc.ts';
import { Http1Carrier } from './http1-carrier.ts';
import { Http2Carrier } from './http2-carrier.ts';
import { Patience } from './patience.ts';
import { type RequestText, readRequest } from './request.ts';
import { RequestBody } from './request-body.ts';
import { Http2Route } from './route.ts';
import { Tunnel } from './tunnel.ts';
import { WEBSOCKET } from './websocket.ts';
import { cutOff, watchEnd } from './wholeness.ts';

const PARTING: Problem = {
  status: 503,
  code: 'draining',
  detail: 'this sidecar is going away, and the request took too long to wait for',
};

/**
 * One stream that we accepted: judged like a request of HTTP/1.1, carried on by whatever the other end speaks, answered. Nothing of it is
 * sent on before the gate let it pass.
 */
export class StreamExchange implements Carried {
  readonly limits: RelayLimits;
  readonly isHead: boolean;
  readonly secrets: readonly string[];
  private readonly grpc: boolean;
  private readonly down: Http2Downstream;
  private readonly stream: ServerHttp2Stream;
  private readonly answer: Answer;
  private readonly patience: Patience;
  private body: RequestBody | null = null;
  /** The whole body, where the request is judged with it. */
  private content: Buffer | null = null;
  private text: RequestText | null = null;
  private route: Route | null = null;
  private carrier: Carrier | null = null;
  /** A WebSocket was asked for. */
  private tunnel: Tunnel | null = null;
  /** The name of the decision by which it passed. */
  private decision = '';
  private tally = UNWATCHED;
  private idempotent = false;
  private tries = 0;
  /** When it has to be judged, while that waits for something; `NEVER` when it does not. */
  private judgedBy = NEVER;

  constructor(down: Http2Downstream, stream: ServerHttp2Stream, fields: IncomingHttpHeaders) {
    this.down = down;
    this.stream = stream;
    this.limits = down.relay.limits;
    this.isHead = fields[':method'] === 'HEAD';
    this.secrets = secretNames(fields);
    this.grpc = isGrpc(fields['content-type']) && fields[':protocol'] === undefined;
    this.patience = new Patience(down.relay, this.grpc);
    const { isHead, grpc } = this;
    this.answer = new Answer({
      ...{ stream, isHead, grpc },
      isRequestWhole: () => !this.unread,
      discard: () => this.discard(),
    });
    watchEnd(stream);
    // a stream that nobody touched node resets as soon as it was answered, even before the answer is on its way
    stream.pause();
    stream.on('error', () => {});
    stream.on('close', () => this.gone());
    stream.on('drain', () => this.unblock());
  }

  /** Judges the request and sends it on its way, or refuses it. */
  begin(fields: IncomingHttpHeaders, raw: readonly string[], again = false): void {
    const { limits, down } = this;
    const { requestHead: head } = down.relay;
    const hasBody = !this.stream.endAfterHeaders;
    const text = readRequest(raw, hasBody, limits.head, head);
    if ('code' in text) {
      this.malformed(text);
      return;
    }
    if (!again) down.conduct.head(text.end);
    const ready = this.withBody(text, head);
    if (ready === null) {
      this.gather(head, fields, raw);
      return;
    }
    const verdict = down.gate.admit(head);
    if (verdict instanceof Pending) {
      // a promise that settles again and again is one wait
      if (this.judgedBy === NEVER) this.judgedBy = down.relay.ticker.in(limits.responseMs);
      void verdict.settled.then(() => {
        if (!this.answer.over) this.begin(fields, raw, true);
      });
      return;
    }
    this.judgedBy = NEVER;
    this.tally = tallyFor(down.gate.watch ?? null);
    if (verdict instanceof Refused) {
      this.refuse(verdict.problem, verdict.fields);
      if (verdict.close) down.leave();
      return;
    }
    if (limits.bodyBytes !== 0 && head.contentLength > limits.bodyBytes) {
      this.malformed(refusalOf(BODY_LARGE));
      return;
    }
    this.text = ready;
    this.route = verdict;
    this.idempotent = IDEMPOTENT.has(head.method);
    this.patience.begin(fields['grpc-timeout'] as string | undefined);
    this.decision = down.gate.passed;
    if (text.offer !== null)
      this.tunnel = new Tunnel(
        this.stream,
        down.relay,
        () => this.pipelined(),
        (bytes) => this.came(bytes),
      );
    else if (hasBody) this.body ??= this.bodyOf(head);
    this.carry(this.overHttp2);
  }

  /** Bytes of the body that wait to be read. */
  get held(): number {
    return this.stream.readableLength;
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

  /** For the rest of the request, or for leave to send more of the answer. */
  get waitsForCaller(): boolean {
    return this.tunnel !== null || !this.requestSent || this.stream.writableLength > 0;
  }

  started(flowing: boolean): void {
    this.body?.to(this.carrier!, flowing);
    this.waitOn();
  }

  drained(): void {
    this.body?.flow(true);
    this.waitOn();
  }

  accepted(up: Side, fields: FieldList, first: Buffer): Splice {
    const { gate } = this.down;
    this.carrier = null;
    this.tally.status = statusOf(fields);
    this.tally.end(true);
    this.answer.begin(fields, false, false);
    return this.tunnel!.open(
      up,
      first,
      gate.spliced(WEBSOCKET, this.decision, () => void this.tunnel?.cut()),
    );
  }

  interim(fields: FieldList): void {
    this.answer.interim(fields);
  }

  respond(fields: FieldList, ends: boolean, mayTrail: boolean): void {
    this.body?.settle();
    this.tally.status = statusOf(fields);
    this.answer.begin(fields, ends, mayTrail);
    this.waitOn();
  }

  data(piece: Buffer): boolean {
    this.down.relay.leftovers.add(piece.length);
    this.tally.sent += piece.length;
    const flowing = this.answer.send(piece);
    this.waitOn();
    return flowing;
  }

  done(trailers: FieldList): void {
    this.body?.hold();
    if (this.answer.over) return;
    this.carrier = null;
    this.tally.end(true);
    this.answer.end(trailers);
    this.waitOn();
  }

  failed(failure: Failure, unseen: boolean): void {
    // whoever took it does so no more, even if what it failed with changes nothing
    this.body?.hold();
    if (this.answer.over) return;
    this.carrier = null;
    const unanswered = failure.kind === 'closed' && failure.reused && this.idempotent && this.requestSent;
    const again = !this.answer.begun && (unseen || unanswered) && this.tries < MOST_TRIES;
    if (again && (this.body?.repeatable ?? true)) this.carry(this.overHttp2);
    else this.giveUp(this.route!.pool.problem(failure));
  }

  wasReset(code: number): void {
    this.carrier = null;
    this.body?.hold();
    if (!this.answer.over) this.answer.cut(code);
  }

  unspoken(): void {
    this.tries--;
    this.carry(false);
  }

  /** A WebSocket goes on for `ms` at most; anything else until `part`. */
  drain(ms: number): void {
    this.tunnel?.drain(ms);
  }

  /** It has to end now, however much of it is under way. */
  part(): void {
    if (!this.answer.over && !this.tunnel?.isOpen) this.giveUp(PARTING);
  }

  /** Ends it at once. @returns whether it says goodbye first, for which it needs a moment */
  cut(): boolean {
    if (this.tunnel?.isOpen) return this.tunnel.cut();
    this.letGo();
    this.answer.cut(constants.NGHTTP2_CANCEL);
    return false;
  }

  /** `flushed`: all that was answered is on its way. */
  sweep(now: number, flushed: boolean): void {
    if (this.tunnel?.isOpen) {
      this.tunnel.sweep(now);
      return;
    }
    const { answer, patience } = this;
    answer.sweep(flushed);
    if (now >= this.judgedBy && !answer.over) {
      this.refuse(UNJUDGED);
      return;
    }
    const over = patience.isOver(now);
    if (!over && !patience.isLate(now)) return;
    if (answer.over) cutOff(this.stream);
    else if (this.route === null) this.refuse(TOO_SLOW);
    else if (!over && !answer.begun && !this.requestSent && !this.body!.held) this.refuse(TOO_SLOW);
    else {
      // a deadline of the caller's own says nothing of who serves it
      if (!over && !answer.begun) this.carrier?.tooLate();
      this.giveUp(this.route!.pool.problem({ kind: 'timeout', cause: 'timeout', reused: false }));
    }
  }

  private get overHttp2(): boolean {
    return this.route instanceof Http2Route && this.route.sessions.spoken;
  }

  /** The request as it is to be judged: with its body behind its head where the gate wants that. Null: it has to come first. */
  private withBody(text: RequestText, head: RequestHead): RequestText | null {
    const { gate } = this.down;
    const { content } = this;
    if (content === null) {
      const { bodyBytes } = this.limits;
      const lacks = head.contentLength > 0 && (bodyBytes === 0 || head.contentLength <= bodyBytes);
      return lacks && gate.gathers?.(head) === true ? null : text;
    }
    head.bytes = Buffer.concat([text.bytes, content]);
    return { ...text, bytes: head.bytes };
  }

  private gather(head: RequestHead, fields: IncomingHttpHeaders, raw: readonly string[]): void {
    this.patience.begin(fields['grpc-timeout'] as string | undefined);
    this.body = this.bodyOf(head);
    this.body.gather((content) => {
      this.content = content;
      this.begin(fields, raw, true);
    });
    this.waitOn();
  }

  private bodyOf(head: RequestHead): RequestBody {
    return new RequestBody({
      stream: this.stream,
      announced: head.contentLength,
      mostBytes: this.limits.bodyBytes,
      came: (bytes) => this.came(bytes),
      moved: () => this.waitOn(),
      malformed: (refusal) => this.malformed(refusal),
    });
  }

  private came(bytes: number): void {
    this.tally.received += bytes;
    this.down.conduct.piece(bytes);
    this.down.relay.leftovers.add(bytes);
  }

  private carry(http2: boolean): void {
    const { route, text } = this;
    this.tries++;
    this.patience.suspend();
    this.body?.hold();
    this.carrier =
      http2 && route instanceof Http2Route
        ? new Http2Carrier(this, this.down.relay, route, text!)
        : new Http1Carrier(this, this.down.relay, route!, text!);
    this.carrier.start();
  }

  /** Something came behind a request for a WebSocket that is not accepted yet, or was declined. */
  private pipelined(): void {
    if (!this.answer.begun) this.malformed(refusalOf(UPGRADE_PIPELINED));
  }

  private malformed(refusal: Refusal): void {
    this.down.gate.malformed(refusal.code);
    if (this.answer.begun) {
      this.letGo();
      this.answer.cut(constants.NGHTTP2_PROTOCOL_ERROR);
    } else this.refuse(refusal);
  }

  /** No answer, or no more of one, will come. */
  private giveUp(problem: Problem): void {
    if (!this.answer.begun) {
      this.refuse(problem);
      return;
    }
    this.letGo();
    this.answer.breakOff(problem);
    this.waitOn();
  }

  private refuse(problem: Problem, fields: HeaderFields = []): void {
    this.letGo();
    const told = this.tally.answer(problem);
    this.tally.end(true);
    this.answer.refuse(told, fields);
    this.waitOn();
  }

  /** What still comes is thrown away: node does not let go of a stream that holds anything, and most requests end by themselves now. */
  private discard(): void {
    if (this.stream.listenerCount('data') === 0) this.stream.on('data', ({ length }) => this.came(length));
    this.stream.resume();
  }

  /** Not all of the request was taken. */
  private get unread(): boolean {
    return !this.stream.endAfterHeaders && !this.body?.whole;
  }

  private letGo(): void {
    const { carrier } = this;
    this.carrier = null;
    this.body?.hold();
    carrier?.abandon();
  }

  private unblock(): void {
    this.answer.blocked = false;
    this.carrier?.resume();
    this.waitOn();
  }

  private gone(): void {
    const { answer, down } = this;
    if (answer.begun) down.conduct.answered();
    else if (!answer.over) down.conduct.broken();
    down.conduct.unread(this.held);
    if (answer.over && this.unread) down.conduct.endedEarly();
    answer.over = true;
    this.tally.end(false);
    this.letGo();
    this.down.forget(this);
  }

  /** Begins anew to wait for what comes next. */
  private waitOn(): void {
    const { over, begun, blocked } = this.answer;
    this.patience.wait({
      stalled: over || blocked || (this.body?.held ?? false) || this.route === null,
      unanswered: this.requestSent && !begun && !over,
    });
  }
}

/** Serves all that nobody observes. */
const UNWATCHED = new Tally();

function tallyFor(watch: Watch | null): Tally {
  if (watch === null) return UNWATCHED;
  const tally = new Tally();
  tally.begin(watch);
  return tally;
}

/** It comes first. */
function statusOf(fields: FieldList): number {
  return Number(fields[1]);
}
