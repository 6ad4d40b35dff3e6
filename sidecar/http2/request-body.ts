import type { ServerHttp2Stream } from 'node:http2';
import { BODY_LARGE, type Refusal, refusalOf } from '../http1/index.ts';
import type { Carrier } from './carrier.ts';
import type { FieldList } from './fields.ts';
import { LENGTH } from './refusals.ts';
import { judgeTrailers } from './trailers.ts';
import { isWhole } from './wholeness.ts';

/** So much is kept until there is a response, in case it has to be sent again; a proof covers no more. */
const MOST_KEPT = 65_536;

export type RequestBodyDeps = {
  readonly stream: ServerHttp2Stream;
  /** By `Content-Length`, -1 without. */
  readonly announced: number;
  /** 0 bounds nothing. */
  readonly mostBytes: number;
  /** So much came: of its data, or of its trailers. */
  came(bytes: number): void;
  moved(): void;
  malformed(refusal: Refusal): void;
};

/** The body of one request: read no faster than it is taken, in whole and in order, or cut off. */
export class RequestBody {
  /** All of it was handed on. */
  sent = false;
  /** All of it came. */
  whole = false;
  private readonly deps: RequestBodyDeps;
  private carrier: Carrier | null = null;
  private reading = false;
  /** There is nothing more to read. */
  private over = false;
  /** Told of all of it, when it is there. */
  private gathered: ((body: Buffer) => void) | null = null;
  private received = 0;
  private kept: Buffer[] | null = [];
  private trailers: FieldList = [];

  constructor(deps: RequestBodyDeps) {
    this.deps = deps;
    deps.stream.on('trailers', (_fields: unknown, _flags: number, raw?: string[]) => {
      this.trailers = raw ?? [];
      deps.came(this.trailers.join('').length);
    });
    // node tells of the end of what is empty even while it is paused
    deps.stream.on('end', () => {
      this.over = true;
      this.ended();
    });
  }

  /** Whether it can be sent again from its beginning. */
  get repeatable(): boolean {
    return this.kept !== null;
  }

  /** The caller waits for us: it may send, and nothing is read. */
  get held(): boolean {
    return !this.sent && this.gathered === null && (this.carrier === null || this.deps.stream.isPaused());
  }

  /** Waits until there is all of it, which was announced and is no more than is kept. */
  gather(gathered: (body: Buffer) => void): void {
    this.gathered = gathered;
    this.read(true);
  }

  /** Hands the body to a carrier, from its beginning. */
  to(carrier: Carrier, flowing: boolean): void {
    this.carrier = carrier;
    for (const piece of this.kept ?? []) flowing = carrier.forward(piece);
    if (this.sent) carrier.finish(this.trailers);
    else if (this.over) this.ended();
    else if (this.reading) this.flow(flowing);
    else this.read(flowing);
  }

  flow(flowing: boolean): void {
    if (this.sent) return;
    if (flowing) this.deps.stream.resume();
    else this.deps.stream.pause();
  }

  /** Nobody takes it at present. */
  hold(): void {
    this.carrier = null;
    this.gathered = null;
    this.flow(false);
  }

  /** There is a response: it need not be sent again. */
  settle(): void {
    this.kept = null;
  }

  private read(flowing: boolean): void {
    this.reading = true;
    this.deps.stream.on('data', (piece: Buffer) => this.receive(piece));
    this.flow(flowing);
  }

  private receive(piece: Buffer): void {
    const { announced, mostBytes, came, malformed, moved } = this.deps;
    came(piece.length);
    if (this.carrier === null && this.gathered === null) return;
    this.received += piece.length;
    const tooLarge = mostBytes !== 0 && this.received > mostBytes;
    if (tooLarge || (announced !== -1 && this.received > announced)) {
      malformed(tooLarge ? refusalOf(BODY_LARGE) : LENGTH);
      return;
    }
    if (this.received > MOST_KEPT) this.kept = null;
    this.kept?.push(piece);
    moved();
    if (this.carrier?.forward(piece) === false) this.flow(false);
  }

  private ended(): void {
    const { stream, announced, malformed, moved } = this.deps;
    const { carrier, gathered } = this;
    if ((carrier === null && gathered === null) || !isWhole(stream)) return;
    const short = announced !== -1 && this.received !== announced;
    const refusal = short ? LENGTH : judgeTrailers(this.trailers);
    if (refusal !== null) {
      malformed(refusal);
      return;
    }
    this.whole = true;
    this.gathered = null;
    if (carrier === null) gathered!(Buffer.concat(this.kept!));
    else {
      this.sent = true;
      carrier.finish(this.trailers);
      moved();
    }
  }
}
