import { CR, LF } from './bytes.ts';
import type { Fields } from './fields.ts';
import type { RequestHead } from './request.ts';
import type { ResponseHead } from './response.ts';
import { UPGRADE_LINES } from './websocket.ts';

const SLAB = 65_536;
const LARGE = 16_384;
export const NOTHING = Buffer.alloc(0);
const CHUNKED = Buffer.from('transfer-encoding: chunked\r\n');
const LENGTH = Buffer.from('content-length: ');
const CRLF = Buffer.from('\r\n');
export const LAST_CHUNK = Buffer.from('0\r\n\r\n');
export const CONNECTION_CLOSE = Buffer.from('connection: close\r\n');

/** How a response's body is framed on the way out: as it came, or as chunks when its end was to be the connection's. */
export type Framing = 'as-received' | 'chunked';

/**
 * Puts messages together from the bytes received, in one piece each: kept header lines are copied, never rebuilt. Pieces are cut from a
 * slab that is used once and then left to the garbage collector, so a socket may hold on to them.
 */
export class HeadWriter {
  private slab = Buffer.allocUnsafeSlow(SLAB);
  private readonly made: (bytes: number) => void;
  private used = 0;
  /** Where the piece being written begins. */
  private at = 0;

  /** `made` is told of all memory that is taken, by bytes. */
  constructor(made: (bytes: number) => void = () => {}) {
    this.made = made;
  }

  /**
   * The request as it goes on: its line with the canonical target, the kept header lines, its framing, `append` (whole header lines),
   * the blank line, and the part of the body in `[bodyStart, bodyEnd)`.
   */
  request(b: Buffer, head: RequestHead, append: Buffer, bodyStart: number, bodyEnd: number): Buffer {
    const rewritten = head.target.rewritten;
    const room =
      (rewritten === null ? 0 : rewritten.length) + append.length + (bodyEnd - bodyStart) + FRAMING_ROOM;
    const out = this.room(head.linesEnd - head.start + room);
    const start = this.at;
    let o = start;
    if (rewritten === null) o = this.lines(out, o, b, head.start, head);
    else {
      o += b.copy(out, o, head.start, head.targetStart);
      o += rewritten.copy(out, o);
      o = this.lines(out, o, b, head.targetEnd, head);
    }
    o = head.websocket ? o + UPGRADE_LINES.copy(out, o) : framed(out, o, b, head);
    o = endOfHead(out, o, append);
    if (bodyEnd > bodyStart) o += b.copy(out, o, bodyStart, bodyEnd);
    return this.take(out, start, o);
  }

  /** The response as it goes on, as `request`. */
  response(
    b: Buffer,
    head: ResponseHead,
    framing: Framing,
    append: Buffer,
    bodyStart: number,
    bodyEnd: number,
  ): Buffer {
    const out = this.room(head.linesEnd - head.start + append.length + (bodyEnd - bodyStart) + FRAMING_ROOM);
    const start = this.at;
    let o = this.lines(out, start, b, head.start, head);
    o = framing === 'chunked' ? o + CHUNKED.copy(out, o) : framed(out, o, b, head);
    o = endOfHead(out, o, append);
    if (framing === 'chunked') o = chunk(out, o, b, bodyStart, bodyEnd);
    else if (bodyEnd > bodyStart) o += b.copy(out, o, bodyStart, bodyEnd);
    return this.take(out, start, o);
  }

  /** A copy of `[start, end)`, for bytes that lie in a buffer about to be read into again. */
  copy(b: Buffer, start: number, end: number): Buffer {
    const out = this.room(end - start);
    const at = this.at;
    return this.take(out, at, at + b.copy(out, at, start, end));
  }

  /** `[start, end)` as one chunk. Not for an empty piece: that would end the body. */
  chunk(b: Buffer, start: number, end: number): Buffer {
    const out = this.room(end - start + FRAMING_ROOM);
    const at = this.at;
    return this.take(out, at, chunk(out, at, b, start, end));
  }

  /** Gives a buffer in which `size` bytes are free from `this.at` on. */
  private room(size: number): Buffer {
    if (size > LARGE) {
      this.at = 0;
      this.made(size);
      return Buffer.allocUnsafeSlow(size);
    }
    if (this.used + size > SLAB) {
      this.made(SLAB);
      this.slab = Buffer.allocUnsafeSlow(SLAB);
      this.used = 0;
    }
    this.at = this.used;
    return this.slab;
  }

  private take(out: Buffer, start: number, end: number): Buffer {
    if (out === this.slab) this.used = end;
    return out.subarray(start, end);
  }

  private lines(out: Buffer, o: number, b: Buffer, from: number, fields: Fields): number {
    let p = from;
    for (let i = 0; i < fields.dropCount; i += 2) {
      const start = fields.drops[i]!;
      if (start > p) o += b.copy(out, o, p, start);
      p = fields.drops[i + 1]!;
    }
    return fields.linesEnd > p ? o + b.copy(out, o, p, fields.linesEnd) : o;
  }
}

/** Room for a framing line and a chunk's size line. */
const FRAMING_ROOM = 64;

function endOfHead(out: Buffer, o: number, append: Buffer): number {
  if (append.length > 0) o += append.copy(out, o);
  // two stores, where a copy would be a call into native code
  out[o] = CR;
  out[o + 1] = LF;
  return o + 2;
}

function framed(out: Buffer, o: number, b: Buffer, fields: Fields): number {
  if (fields.framingKept) return o;
  if (fields.chunked) return o + CHUNKED.copy(out, o);
  if (fields.contentLength === -1) return o;
  o += LENGTH.copy(out, o);
  o += b.copy(out, o, fields.lengthStart, fields.lengthEnd);
  return o + CRLF.copy(out, o);
}

function chunk(out: Buffer, o: number, b: Buffer, start: number, end: number): number {
  if (end === start) return o;
  o += out.write((end - start).toString(16), o, 'latin1');
  o += CRLF.copy(out, o);
  o += b.copy(out, o, start, end);
  return o + CRLF.copy(out, o);
}
