import type { Ticker } from '../relay/index.ts';
import { Allowance } from './allowance.ts';
import { STREAM_WINDOW } from './limits.ts';

/** Bytes beside heads and bodies that a peer may send at once, and each second from then on. A frame has nine at least. */
const OVERHEAD = { most: 262_144, perSecond: 65_536 };
/** Unanswered streams that a peer may end at once, and each second from then on. */
const ABANDONED = { most: 1_000, perSecond: 100 };
/** What one SETTINGS costs us, as if it were so many bytes of frames. */
const SETTINGS_COST = 1_024;
/** What we answer to one PING: to be sent that is no leave to send as much again. */
const PING_ANSWER = 17;
/** Frames and flow control around a head or a piece of a body. */
const HEAD_FRAMES = 64;
const DATA_FRAMES = 16;

export type Abuse = 'http2_overhead' | 'http2_abandoned';

export type ConductDeps = {
  readonly ticker: Ticker;
  /** Called once: nothing more is to be taken from this peer. */
  abused(how: Abuse): void;
};

/**
 * How one peer behaves on its connection. Node and nghttp2 bound some floods, each by itself; here is counted what they have in common: bytes
 * that are neither a head nor a body that we were given (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, frames of no meaning, frames of streams
 * that are gone, heads that were never whole), and streams that are begun only to be ended.
 */
export class Conduct {
  private readonly deps: ConductDeps;
  private readonly overhead: Allowance;
  private readonly abandoned: Allowance;
  /** Bytes of use since the last count. */
  private useful = 0;
  private read = 0;
  private written = 0;
  private over = false;

  constructor(deps: ConductDeps) {
    this.deps = deps;
    this.overhead = new Allowance(deps.ticker, OVERHEAD);
    this.abandoned = new Allowance(deps.ticker, ABANDONED);
  }

  head(bytes: number): void {
    this.useful += bytes + HEAD_FRAMES;
  }

  /** Half of what a small piece costs may be frames. */
  piece(bytes: number): void {
    this.useful += 2 * bytes + DATA_FRAMES;
  }

  /** A stream is gone, of which so much had come that nobody read. */
  unread(held: number): void {
    this.useful += held;
  }

  /** It was we who ended it, and its caller may still be sending. */
  endedEarly(): void {
    this.useful += STREAM_WINDOW;
  }

  ping(): void {
    this.useful -= PING_ANSWER;
  }

  settings(): void {
    this.useful -= SETTINGS_COST;
    if (this.overhead.left + this.useful < 0) this.end('http2_overhead');
  }

  answered(): void {
    this.abandoned.earn(1);
  }

  /** The peer ended a stream before there was an answer, or made us end it. */
  broken(): void {
    this.abandoned.spend(1);
    if (this.abandoned.left < 0) this.end('http2_abandoned');
  }

  /**
   * Call at every tick with the bytes of the connection since it began. A peer may send as much again as it is sent: it has to say that it took
   * it. `held` tells how much of bodies has come that nobody has taken yet.
   */
  count(read: number, written: number, held: () => number): void {
    const cost = read - this.read - (written - this.written) - this.useful;
    this.read = read;
    this.written = written;
    this.useful = 0;
    if (cost > 0) this.overhead.spend(cost);
    else this.overhead.earn(-cost);
    if (this.overhead.left < 0 && this.overhead.left + held() < 0) this.end('http2_overhead');
  }

  private end(how: Abuse): void {
    if (this.over) return;
    this.over = true;
    this.deps.abused(how);
  }
}
