import { addLines, type FieldList } from './fields.ts';

const SIZE = 0;
const DATA = 1;
const DATA_END = 2;
const TRAILERS = 3;

const LF = 0x0a;
const CR = 0x0d;
const HEX_LETTER = 0x40;

/** Takes the data out of a chunked body whose form has been judged, whatever pieces it comes in. */
export class Dechunker {
  trailers: FieldList = [];
  private state = SIZE;
  private left = 0;
  private tail = '';

  reset(): void {
    this.trailers = [];
    this.state = SIZE;
    this.left = 0;
    this.tail = '';
  }

  /** Hands out the data in `b`, in parts of it. */
  feed(b: Buffer, data: (part: Buffer) => void): void {
    for (let p = 0; p < b.length; ) {
      if (this.state === SIZE) {
        const c = b[p++]!;
        if (c === LF) this.state = this.left === 0 ? TRAILERS : DATA;
        else if (c !== CR) this.left = this.left * 16 + (c > HEX_LETTER ? (c & 0x0f) + 9 : c & 0x0f);
      } else if (this.state === DATA) {
        const part = b.subarray(p, p + this.left);
        this.left -= part.length;
        p += part.length;
        if (this.left === 0) this.state = DATA_END;
        data(part);
      } else if (this.state === DATA_END) {
        if (b[p++] === LF) this.state = SIZE;
      } else {
        this.tail += b.toString('latin1', p);
        p = b.length;
      }
    }
  }

  /** Call when the body is complete. */
  finish(): FieldList {
    const lines = Buffer.from(this.tail.slice(0, -2), 'latin1');
    addLines(lines, 0, lines.length, this.trailers);
    return this.trailers;
  }
}
