import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { choosesFrom, NOTHING, ResponseHead, scanRequest } from '../http1/index.ts';
import type { Failure, Relay } from '../relay/index.ts';
import type { Carried, Carrier } from './carrier.ts';
import { type FieldList, keepSecret, secretNames } from './fields.ts';
import { type RequestText, requestFields } from './request.ts';
import { readResponse } from './response.ts';
import type { Http2Route } from './route.ts';
import type { Session, Waiting } from './session.ts';
import { judgeTrailers, trailerObject } from './trailers.ts';
import { StreamSide } from './tunnel.ts';
import { acceptance, valuesIn } from './websocket.ts';
import { cutOff, isWhole, watchEnd } from './wholeness.ts';

/** Of one request alone: in a connection's table it would only push out what many have in common. */
const PROOF = 'workload-proof-token';
/** Scanned into by one response at a time. */
const head = new ResponseHead();

/** Carries a stream on as a stream of another connection that speaks HTTP/2. */
export class Http2Carrier implements Carrier, Waiting {
  readonly tried = new Set<number>();
  again = false;
  private readonly exchange: Carried;
  private readonly relay: Relay;
  private readonly route: Http2Route;
  private readonly text: RequestText;
  private session: Session | null = null;
  private stream: ClientHttp2Stream | null = null;
  private requestTrailers: FieldList = [];
  private trailers: FieldList = [];
  private interim = 0;
  private responded = false;

  constructor(exchange: Carried, relay: Relay, route: Http2Route, text: RequestText) {
    this.exchange = exchange;
    this.relay = relay;
    this.route = route;
    this.text = text;
  }

  get tunnels(): boolean {
    return this.text.offer !== null;
  }

  start(): void {
    this.route.sessions.take(this);
  }

  connected(session: Session): void {
    if (this.tunnels && !session.tunnels) {
      this.exchange.unspoken();
      return;
    }
    const { requestHead, limits } = this.relay;
    const { hasBody, mayTrail } = this.exchange;
    const { bytes, end } = this.text;
    scanRequest(bytes, 0, end, limits.head, requestHead);
    const own = this.route.linesFor(requestHead, session);
    const { secrets } = this.exchange;
    const fields = keepSecret(
      requestFields(this.text, requestHead, session.scheme, own),
      own.length === 0 ? secrets : [...secrets, PROOF],
    );
    const stream = session.request(fields, {
      endStream: !hasBody && !this.tunnels,
      waitForTrailers: mayTrail,
    });
    this.session = session;
    this.stream = stream;
    watchEnd(stream);
    stream.on('error', () => {});
    stream.on('close', () => this.gone());
    stream.on('headers', (_fields, _flags, raw) => this.inform(raw!));
    stream.on('response', (received: IncomingHttpHeaders, flags: number, raw?: string[]) =>
      this.respond(raw!, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0, secretNames(received)),
    );
    stream.on('trailers', (_fields: IncomingHttpHeaders, _flags: number, raw?: string[]) => {
      this.trailers = raw!;
    });
    if (hasBody) stream.on('drain', () => this.exchange.drained());
    if (mayTrail) stream.on('wantTrailers', () => stream.sendTrailers(trailerObject(this.requestTrailers)));
    this.exchange.started(true);
  }

  forward(piece: Buffer): boolean {
    const { stream } = this;
    return stream === null || stream.closed || stream.write(piece);
  }

  finish(trailers: FieldList): void {
    this.requestTrailers = trailers;
    this.stream?.end();
  }

  resume(): void {
    this.stream?.resume();
  }

  tooLate(): void {
    const { session } = this;
    if (session === null) return;
    const failure: Failure = { kind: 'timeout', cause: 'timeout', reused: session.proven };
    this.route.sessions.balance.failed(session.address, failure);
    // the other end may have gone without a word: new streams take a connection that would tell
    session.retire();
  }

  abandon(): void {
    const { stream } = this;
    this.route.sessions.forsake(this);
    this.release();
    if (stream !== null) cutOff(stream);
  }

  unreachable(failure: Failure): void {
    this.exchange.failed(failure, false);
  }

  unspoken(): void {
    this.exchange.unspoken();
  }

  private inform(raw: string[]): void {
    if (this.stream === null) return;
    const fields = readResponse(raw, this.relay.limits.head, head);
    if (typeof fields === 'string' || head.status === 101 || ++this.interim > this.relay.limits.interim)
      this.refuse('interim_response');
    else this.exchange.interim(fields);
  }

  private respond(raw: string[], ends: boolean, secrets: readonly string[]): void {
    const { stream } = this;
    if (stream === null) return;
    const fields = readResponse(raw, this.relay.limits.head, head);
    if (typeof fields === 'string') {
      this.refuse(fields);
      return;
    }
    const { status } = head;
    const { offer } = this.text;
    if (offer !== null && status < 300) {
      if (status === 200 && !ends && choosesFrom(offer, valuesIn(fields))) this.accept(acceptance(fields));
      else this.refuse('upgrade_response');
      return;
    }
    this.route.sessions.balance.answered(this.session!.address, status);
    if (status < 400) this.session!.answered = true;
    const bodyless = ends || this.exchange.isHead || status === 204 || status === 304;
    this.responded = true;
    stream.on('data', (piece: Buffer) => this.receive(piece));
    stream.on('end', () => this.ended());
    this.exchange.respond(keepSecret(fields, secrets), bodyless, !bodyless);
  }

  /** The stream is a WebSocket from here on. */
  private accept(fields: FieldList): void {
    const [stream, session] = [this.stream!, this.session!];
    this.route.sessions.balance.answered(session.address, 200);
    // it is nobody's but the splice's, and counts until it ends
    this.stream = null;
    this.session = null;
    stream.once('close', () => session.release());
    const side = new StreamSide(stream, () => {});
    side.join(this.exchange.accepted(side, fields, NOTHING));
  }

  private receive(piece: Buffer): void {
    if (this.stream !== null && !this.exchange.data(piece)) this.stream.pause();
  }

  private ended(): void {
    const { stream, trailers } = this;
    // if it is not whole, `close` tells why
    if (stream === null || !isWhole(stream)) return;
    const refusal = judgeTrailers(trailers);
    if (refusal !== null) {
      this.refuse(refusal.code);
      return;
    }
    this.release();
    // it was answered before it was complete
    if (!this.exchange.requestSent) cutOff(stream);
    this.exchange.done(trailers);
  }

  /** What came is not to be passed on. */
  private refuse(cause: string): void {
    const stream = this.stream!;
    const failure: Failure = { kind: 'malformed', cause, reused: true };
    this.route.sessions.balance.failed(this.session!.address, failure);
    this.release();
    cutOff(stream);
    this.exchange.failed(failure, false);
  }

  private gone(): void {
    const { stream, session } = this;
    if (stream === null || session === null) return;
    this.release();
    const { rstCode } = stream;
    // seen of node: a connection on which thousands of streams were cut while they were written to refuses every stream in the end
    if (rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) session.retire();
    const cause = session.failure;
    if (cause !== null) {
      const failure: Failure = { kind: 'closed', cause, reused: session.proven };
      if (!session.proven) this.route.sessions.balance.failed(session.address, failure);
      this.exchange.failed(failure, session.neverSaw(stream.id));
    } else if (rstCode === constants.NGHTTP2_REFUSED_STREAM && !this.responded)
      this.exchange.failed({ kind: 'closed', cause: 'refused_stream', reused: true }, true);
    else this.exchange.wasReset(rstCode);
  }

  private release(): void {
    this.session?.release();
    this.session = null;
    this.stream = null;
  }
}
