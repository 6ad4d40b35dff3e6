import { ChunkFollower } from './chunks.ts';
import type { Fields } from './fields.ts';
import { NEED_MORE } from './refusal.ts';

const DONE = 0;
const LENGTH = 1;
const CHUNKED = 2;
const UNTIL_CLOSE = 3;

/** Finds where a body ends, however it is framed and into whatever pieces it is cut. */
export class BodyFollower {
  private framing = DONE;
  private chunked = false;
  private left = 0;
  private chunks: ChunkFollower | null = null;

  /** Begins the body that `fields` frames; without framing there is none, unless it lasts until the connection closes. */
  begin(fields: Fields, untilClose = false): void {
    this.left = 0;
    this.chunked = fields.chunked;
    if (fields.chunked) {
      this.framing = CHUNKED;
      this.chunks ??= new ChunkFollower();
      this.chunks.reset();
    } else if (fields.contentLength > 0) {
      this.framing = LENGTH;
      this.left = fields.contentLength;
    } else this.framing = untilClose && fields.contentLength === -1 ? UNTIL_CLOSE : DONE;
  }

  /** No body at all, whatever the head says: the answer to HEAD, 204, 304. */
  skip(): void {
    this.framing = DONE;
  }

  get done(): boolean {
    return this.framing === DONE;
  }
  get untilClose(): boolean {
    return this.framing === UNTIL_CLOSE;
  }
  /** Bytes of a chunked body so far, as far as its chunks announced them. */
  get announced(): number {
    return this.chunked ? this.chunks!.bytes : 0;
  }

  /**
   * @returns the position after the body (which is then done), NEED_MORE when all of `[p, end)` belongs to it and it goes on, or a
   * refusal. Call only for a body that is not done.
   */
  feed(b: Uint8Array, p: number, end: number): number {
    if (this.framing === UNTIL_CLOSE) return NEED_MORE;
    if (this.framing === CHUNKED) {
      const result = this.chunks!.feed(b, p, end);
      if (result > 0) this.framing = DONE;
      return result;
    }
    if (end - p < this.left) {
      this.left -= end - p;
      return NEED_MORE;
    }
    this.framing = DONE;
    return p + this.left;
  }
}
