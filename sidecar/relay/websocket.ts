import { randomBytes } from 'node:crypto';
import type { Relay } from './accepted.ts';
import type { SpliceEnd } from './route.ts';
import { type Following, type Side, Splice } from './splice.ts';

const CLOSE = 8;
const FINAL = 0x80;
const MASKED = 0x80;
const NOTHING = Buffer.alloc(0);

/** Makes one WebSocket of two sides that have agreed to it. */
export function spliceWebSocket(
  down: Side,
  up: Side,
  { limits, ticker }: Pick<Relay, 'limits' | 'ticker'>,
  over: (end: SpliceEnd) => void,
): Splice {
  const following = { forth: new Frames(true), back: new Frames(false) };
  return new Splice(down, up, { ticker, idleMs: limits.spliceIdleMs, following, over });
}

/** Follows WebSocket frames (RFC 6455 §5.2) through whatever pieces they come in, only to know where one ends. */
class Frames implements Following {
  private readonly masks: boolean;
  /** Bytes of the present frame's header so far; 0 between frames. */
  private at = 0;
  /** Bytes of the header still to come, and how many of them tell the length. */
  private rest = 0;
  private ofLength = 0;
  private opcode = 0;
  private length = 0;
  private left = 0;
  private closed = false;

  /** `masks`: the direction from client to server. */
  constructor(masks: boolean) {
    this.masks = masks;
  }

  feed(piece: Uint8Array): void {
    for (let p = 0; p < piece.length; ) {
      if (this.left > 0) {
        const some = Math.min(this.left, piece.length - p);
        p += some;
        this.left -= some;
        if (this.left === 0) this.frameEnded();
      } else this.header(piece[p++]!);
    }
  }

  /** A close frame, if the stream is between two frames and has none yet. */
  goodbye(code: number): Buffer | null {
    if (this.closed) return NOTHING;
    if (this.at > 0) return null;
    const payload = [code >> 8, code & 0xff];
    if (!this.masks) return Buffer.from([FINAL | CLOSE, payload.length, ...payload]);
    const key = randomBytes(4);
    return Buffer.from([
      FINAL | CLOSE,
      MASKED | payload.length,
      ...key,
      ...payload.map((byte, i) => byte ^ key[i]!),
    ]);
  }

  private header(byte: number): void {
    if (this.at++ === 0) {
      this.opcode = byte & 0x0f;
      return;
    }
    if (this.at === 2) {
      const short = byte & 0x7f;
      this.ofLength = short === 127 ? 8 : short === 126 ? 2 : 0;
      this.length = this.ofLength === 0 ? short : 0;
      this.rest = this.ofLength + (byte >= MASKED ? 4 : 0);
    } else {
      if (this.ofLength > 0) {
        this.length = this.length * 256 + byte;
        this.ofLength--;
      }
      this.rest--;
    }
    if (this.rest > 0) return;
    this.left = this.length;
    if (this.left === 0) this.frameEnded();
  }

  private frameEnded(): void {
    this.at = 0;
    if (this.opcode === CLOSE) this.closed = true;
  }
}
