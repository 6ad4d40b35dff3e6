import { COLON, CR, FIELD_VALUE, HEX, LF, TOKEN } from './bytes.ts';
import { nameOf, TRAILER_NAMES, UNKNOWN } from './names.ts';
import * as refusals from './refusal.ts';

const SIZE = 0;
const SIZE_LF = 1;
const DATA = 2;
const DATA_CR = 3;
const DATA_LF = 4;
const TRAILER_LINE = 5;
const TRAILER_LF = 6;
const END_LF = 7;

/** Hex digits of one chunk's size: up to 4 GiB. */
const MOST_DIGITS = 8;
const TRAILER_BYTES = 4096;

/**
 * Follows a chunked body (RFC 9112 §7.1) through whatever pieces it comes in, to find its end; it copies nothing but trailers, which it
 * judges. A piece that it refuses must not be forwarded.
 */
export class ChunkFollower {
  /** Body bytes seen, framing not counted. */
  bytes = 0;
  private state = SIZE;
  private left = 0;
  private digits = 0;
  private trailer: Buffer | null = null;
  private trailerEnd = 0;
  private trailerBytes = 0;

  reset(): void {
    this.bytes = 0;
    this.state = SIZE;
    this.left = 0;
    this.digits = 0;
    this.trailerEnd = 0;
    this.trailerBytes = 0;
  }

  /** @returns the position after the body, NEED_MORE when all of `[p, end)` belongs to it and it goes on, or a refusal */
  feed(b: Uint8Array, p: number, end: number): number {
    while (p < end) {
      const c = b[p]!;
      switch (this.state) {
        case SIZE: {
          const digit = HEX[c]!;
          if (digit < 16) {
            if (++this.digits > MOST_DIGITS) return refusals.CHUNK_SIZE;
            this.left = this.left * 16 + digit;
          } else if (c === CR && this.digits > 0) this.state = SIZE_LF;
          else return c === 0x3b && this.digits > 0 ? refusals.CHUNK_EXTENSION : refusals.CHUNK_SIZE;
          p++;
          break;
        }
        case SIZE_LF:
          if (c !== LF) return refusals.CHUNK_SIZE;
          this.bytes += this.left;
          this.state = this.left === 0 ? TRAILER_LINE : DATA;
          this.digits = 0;
          p++;
          break;
        case DATA: {
          const piece = Math.min(this.left, end - p);
          this.left -= piece;
          p += piece;
          if (this.left === 0) this.state = DATA_CR;
          break;
        }
        case DATA_CR:
          if (c !== CR) return refusals.CHUNK_END;
          this.state = DATA_LF;
          p++;
          break;
        case DATA_LF:
          if (c !== LF) return refusals.CHUNK_END;
          this.state = SIZE;
          p++;
          break;
        case TRAILER_LINE:
          if (c === CR) {
            if (this.trailerEnd === 0) this.state = END_LF;
            else {
              const refused = this.judgeTrailer();
              if (refused !== 0) return refused;
              this.state = TRAILER_LF;
            }
          } else if (!this.keep(c)) return refusals.TRAILER;
          p++;
          break;
        case TRAILER_LF:
          if (c !== LF) return refusals.TRAILER;
          this.trailerEnd = 0;
          this.state = TRAILER_LINE;
          p++;
          break;
        default:
          return c === LF ? p + 1 : refusals.TRAILER;
      }
    }
    return refusals.NEED_MORE;
  }

  private keep(c: number): boolean {
    if (FIELD_VALUE[c] !== 1 || ++this.trailerBytes > TRAILER_BYTES) return false;
    this.trailer ??= Buffer.allocUnsafe(TRAILER_BYTES);
    this.trailer[this.trailerEnd++] = c;
    return true;
  }

  private judgeTrailer(): number {
    const line = this.trailer!;
    let nameEnd = 0;
    while (nameEnd < this.trailerEnd && TOKEN[line[nameEnd]!] !== 0) nameEnd++;
    if (nameEnd === 0 || nameEnd === this.trailerEnd || line[nameEnd] !== COLON) return refusals.TRAILER;
    return nameOf(TRAILER_NAMES, line, 0, nameEnd) === UNKNOWN ? 0 : refusals.TRAILER_NAME;
  }
}
