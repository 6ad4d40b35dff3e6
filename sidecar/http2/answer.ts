import { constants, type ServerHttp2Stream } from 'node:http2';
import { PROBLEM_TYPE, type Problem, problemDocument } from '../http1/index.ts';
import type { HeaderFields } from '../relay/index.ts';
import type { FieldList } from './fields.ts';
import { grpcRefusal } from './grpc.ts';
import { trailerObject } from './trailers.ts';
import { cutOff } from './wholeness.ts';

export type AnswerDeps = {
  readonly stream: ServerHttp2Stream;
  readonly isHead: boolean;
  readonly grpc: boolean;
  /** All of the request has come. */
  isRequestWhole(): boolean;
  /** Nothing that still comes of the request is wanted. */
  discard(): void;
};

/** The answer to one stream, from elsewhere or of our own: a whole one, or one that is seen not to be. */
export class Answer {
  begun = false;
  /** It ends, in whatever way. */
  over = false;
  /** The caller has to read before more can be sent. */
  blocked = false;
  private readonly deps: AnswerDeps;
  /** Trailers end it, if only empty ones. */
  private trailing = false;
  private trailers: FieldList = [];
  /** It was handed to the connection before the request was complete. */
  private early = false;

  constructor(deps: AnswerDeps) {
    this.deps = deps;
  }

  /** Whether there is anybody to answer. */
  get open(): boolean {
    return !this.over && !this.deps.stream.closed;
  }

  interim(fields: FieldList): void {
    if (this.open && !this.begun) this.deps.stream.additionalHeaders(trailerObject(fields));
  }

  begin(fields: FieldList, ends: boolean, mayTrail: boolean): void {
    if (!this.open) return;
    this.begun = true;
    this.trailing = mayTrail;
    if (mayTrail) this.deps.stream.on('wantTrailers', () => this.trail());
    // the app's own date, or none (its types do not know the option)
    const options = { endStream: ends, waitForTrailers: mayTrail, sendDate: false };
    this.deps.stream.respond(fields, options);
  }

  /** @returns false when the caller reads more slowly than we send */
  send(piece: Buffer): boolean {
    if (this.open) this.blocked = !this.deps.stream.write(piece);
    return !this.blocked;
  }

  end(trailers: FieldList): void {
    this.over = true;
    this.trailers = trailers;
    if (!this.trailing) this.awaitSent();
    this.deps.stream.end();
  }

  /** Ours, in the way the caller understands: a problem document, or a status of gRPC. */
  refuse(problem: Problem, more: HeaderFields): void {
    if (!this.open) return;
    const { stream, isHead, grpc } = this.deps;
    this.begun = true;
    this.over = true;
    const body = Buffer.from(grpc || isHead ? '' : problemDocument(problem));
    const options = { endStream: body.length === 0, sendDate: false };
    const fields = grpc ? grpcRefusal(problem) : problemFields(problem);
    stream.respond([...fields, ...more.flat()], options);
    if (body.length > 0) stream.end(body);
    this.awaitSent();
  }

  /** There is no more of it, though it was not whole. */
  breakOff(problem: Problem): void {
    // in gRPC the end says how it went
    if (this.deps.grpc && this.trailing && !this.blocked) this.end(grpcRefusal(problem).slice(STATUS));
    else this.cut(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** What was sent of it is not to be taken for a whole one. */
  cut(code: number): void {
    this.over = true;
    cutOff(this.deps.stream, code || constants.NGHTTP2_INTERNAL_ERROR);
  }

  /**
   * `flushed`: everything that was handed to the connection is on its way. The rest of a request that was answered is not wanted (RFC 9113 §8.1). A reset
   * takes away what is not yet on its way: this comes after.
   */
  sweep(flushed: boolean): void {
    if (!this.early || !flushed) return;
    this.early = false;
    this.deps.stream.close(constants.NGHTTP2_NO_ERROR);
  }

  private trail(): void {
    this.deps.stream.sendTrailers(trailerObject(this.trailers));
    // node sends them at the next turn
    setImmediate(() => this.sent());
  }

  private awaitSent(): void {
    const { stream } = this.deps;
    if (stream.writableFinished) this.sent();
    else stream.once('finish', () => this.sent());
  }

  private sent(): void {
    this.early = !this.deps.isRequestWhole();
    if (this.early) this.deps.discard();
  }
}

/** RFC 6455 §4.4 */
const VERSION_SERVED = ['sec-websocket-version', '13'];
/** Where the status stands in a refusal of gRPC, behind the fields of its head. */
const STATUS = 4;

function problemFields(problem: Problem): FieldList {
  return [
    ...[':status', String(problem.status)],
    ...['content-type', PROBLEM_TYPE],
    ...['content-length', String(Buffer.byteLength(problemDocument(problem)))],
    ...['cache-control', 'no-store'],
    ...(problem.status === 426 ? VERSION_SERVED : []),
  ];
}
