import {
  LAST_CHUNK,
  MOST_FIELDS,
  NEED_MORE,
  ResponseHead,
  scanRequest,
  scanResponse,
  type WebSocketOffer,
} from '../http1/index.ts';
import type { Caller, Failure, Pool, Relay, Route, Splice, Upstream } from '../relay/index.ts';
import type { Carried, Carrier } from './carrier.ts';
import { Dechunker } from './dechunker.ts';
import type { FieldList } from './fields.ts';
import type { RequestText } from './request.ts';
import { responseFields } from './response.ts';
import { trailerLines } from './trailers.ts';
import { acceptance } from './websocket.ts';

/** Carries a stream on by a connection that speaks HTTP/1.1, of a pool that serves callers of HTTP/1.1 too. */
export class Http1Carrier implements Carrier, Caller {
  readonly http11 = true;
  readonly acceptedBy2xx = true;
  readonly offer: WebSocketOffer | null;
  private readonly exchange: Carried;
  private readonly relay: Relay;
  private readonly route: Route;
  private readonly text: RequestText;
  private up: Upstream | null = null;
  private dialling = false;
  /** The request's body goes on in chunks. */
  private chunked = false;
  /** The response's body comes in chunks. */
  private chunks: Dechunker | null = null;

  constructor(exchange: Carried, relay: Relay, route: Route, text: RequestText) {
    this.exchange = exchange;
    this.relay = relay;
    this.route = route;
    this.text = text;
    this.offer = text.offer;
  }

  get isHead(): boolean {
    return this.exchange.isHead;
  }

  get requestSent(): boolean {
    return this.exchange.requestSent;
  }

  start(): void {
    const up = this.route.pool.take();
    if (up !== null) {
      this.connected(up);
      return;
    }
    this.dialling = true;
    this.route.pool.dial(this);
  }

  awaits(pool: Pool): boolean {
    return this.dialling && pool === this.route.pool;
  }

  connected(up: Upstream): void {
    const { requestHead: head, limits, writer } = this.relay;
    const { bytes, end } = this.text;
    this.dialling = false;
    this.up = up;
    scanRequest(bytes, 0, end, limits.head, head);
    this.chunked = head.chunked;
    const own = this.route.linesFor(head, up);
    this.exchange.started(up.start(this, writer.request(bytes, head, own, end, end)));
  }

  forward(piece: Buffer): boolean {
    const { writer } = this.relay;
    return this.up?.socket.write(this.chunked ? writer.chunk(piece, 0, piece.length) : piece) ?? true;
  }

  finish(trailers: FieldList): void {
    if (this.chunked) this.up?.socket.write(trailers.length === 0 ? LAST_CHUNK : trailerLines(trailers));
  }

  resume(): void {
    this.up?.resume();
  }

  tooLate(): void {
    this.up?.tooLate();
  }

  abandon(): void {
    const { up } = this;
    this.up = null;
    this.dialling = false;
    up?.abandon();
  }

  upstreamDrained(): void {
    this.exchange.drained();
  }

  upstreamFailed(failure: Failure): void {
    this.up = null;
    this.dialling = false;
    this.exchange.failed(failure, false);
  }

  /** A stream ends by itself: nothing needs to be said of the caller's connection. */
  endsWith(): boolean {
    return false;
  }

  sendInterim(piece: Buffer): void {
    this.scan(piece);
    this.exchange.interim(responseFields(piece, scanned));
  }

  accepted(up: Upstream, piece: Buffer, first: Buffer): Splice {
    this.up = null;
    this.scan(piece);
    return this.exchange.accepted(up, acceptance(responseFields(piece, scanned)), first);
  }

  sendHead(piece: Buffer): boolean {
    const bodyStart = this.scan(piece);
    const { status, chunked, contentLength } = scanned;
    const bodyless = this.isHead || status === 204 || status === 304;
    if (chunked && !bodyless) this.chunks = new Dechunker();
    this.exchange.respond(
      responseFields(piece, scanned),
      bodyless || (!chunked && contentLength <= 0),
      this.chunks !== null,
    );
    return bodyStart === piece.length || this.send(piece.subarray(bodyStart));
  }

  send(piece: Buffer): boolean {
    if (this.chunks === null) return this.exchange.data(piece);
    let flowing = true;
    this.chunks.feed(piece, (part) => {
      flowing = this.exchange.data(part);
    });
    return flowing;
  }

  responseDone(): void {
    this.up = null;
    this.exchange.done(this.chunks === null ? [] : this.chunks.finish());
  }

  /** It was judged when it came, within the limits of that; the writer may have added a line. */
  private scan(piece: Buffer): number {
    const result = scanResponse(piece, 0, piece.length, UNLIMITED, scanned);
    if (result <= NEED_MORE) throw new Error('the head of a response that was judged sound is not');
    return result;
  }
}

/** Read before another is scanned. */
const scanned = new ResponseHead();
const UNLIMITED = { headBytes: Number.POSITIVE_INFINITY, fields: MOST_FIELDS, targetBytes: 0 };
