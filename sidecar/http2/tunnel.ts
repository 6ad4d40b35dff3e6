import { constants, type Http2Stream } from 'node:http2';
import { type Relay, type Side, type Splice, type SpliceEnd, spliceWebSocket } from '../relay/index.ts';
import { cutOff, isWhole } from './wholeness.ts';

/** One stream as a side of a WebSocket: its bytes are read once `join` said where they go. */
export class StreamSide implements Side {
  readonly socket: Http2Stream;
  private splice: Splice | null = null;
  private flawed = false;
  private readonly early: () => void;
  private readonly came: (bytes: number) => void;

  /** `early` is called when the peer sends anything, or ends its side, before `join`; `came` is told of every piece. */
  constructor(stream: Http2Stream, early: () => void, came: (bytes: number) => void = () => {}) {
    this.came = came;
    this.socket = stream;
    this.early = early;
    stream.on('data', (piece: Buffer) => this.receive(piece));
    stream.on('trailers', () => this.trailed());
    stream.on('drain', () => this.splice?.drained(this));
    stream.on('end', () => this.ended());
    stream.on('close', () => this.splice?.closed(this));
  }

  join(splice: Splice): void {
    this.splice = splice;
  }

  get splicing(): Splice | null {
    return this.splice;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** By a reset, as RFC 8441 §5 has it for a connection that broke. */
  break(): void {
    cutOff(this.socket);
  }

  private receive(piece: Buffer): void {
    this.came(piece.length);
    if (this.splice === null) this.early();
    else this.splice.pass(this, piece);
  }

  /** Nothing but data may come (RFC 9113 §8.5). */
  private trailed(): void {
    this.flawed = true;
    if (this.splice === null) this.early();
    else cutOff(this.socket, constants.NGHTTP2_PROTOCOL_ERROR);
  }

  private ended(): void {
    // a reset ends it too; `close` follows and tells
    if (this.flawed || !isWhole(this.socket)) return;
    if (this.splice === null) this.early();
    else this.splice.ended(this);
  }
}

/** A stream of ours on which a WebSocket was asked for, and what became of it. */
export class Tunnel {
  private readonly side: StreamSide;
  private readonly relay: Relay;
  private drainedBy: number | null = null;

  /**
   * `pipelined` is called when something follows the request before it was answered: nothing of it may go anywhere. `came` is told of the
   * bytes of every piece.
   */
  constructor(stream: Http2Stream, relay: Relay, pipelined: () => void, came: (bytes: number) => void) {
    this.relay = relay;
    this.side = new StreamSide(stream, pipelined, came);
    this.side.resume();
  }

  /** It was accepted: all that comes from now on goes to `up` as it is. `first` came from there behind the acceptance. */
  open(up: Side, first: Buffer, over: (end: SpliceEnd) => void): Splice {
    const { relay } = this;
    const splice = spliceWebSocket(this.side, up, relay, over);
    this.side.join(splice);
    if (first.length > 0) splice.pass(up, first);
    if (this.drainedBy !== null) splice.drain(relay.ticker.until(this.drainedBy));
    return splice;
  }

  get isOpen(): boolean {
    return this.side.splicing !== null;
  }

  drain(ms: number): void {
    this.drainedBy = this.relay.ticker.in(ms);
    this.side.splicing?.drain(ms);
  }

  /** @returns whether it says goodbye, for which it needs a moment */
  cut(): boolean {
    const { splicing } = this.side;
    const goodbye = splicing !== null && !splicing.ending;
    splicing?.cut();
    return goodbye;
  }

  sweep(now: number): void {
    this.side.splicing?.sweep(now);
  }
}
