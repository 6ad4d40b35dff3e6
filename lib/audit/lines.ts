/** Called with each line without its line break, or with null for one over the limit. */
export type LineSink = (line: Buffer | null) => void;

/** Cuts a stream of bytes into lines, never holding more than one line of `limit` bytes. */
export class LineSplitter {
  readonly #limit: number;
  readonly #sink: LineSink;
  #held: Buffer[] = [];
  #size = 0;

  constructor(limit: number, sink: LineSink) {
    this.#limit = limit;
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, at)) {
      const part = bytes.subarray(at, end);
      const fits = this.#size + part.length <= this.#limit;
      this.#sink(fits ? (this.#size === 0 ? part : Buffer.concat([...this.#held, part])) : null);
      this.#held = [];
      this.#size = 0;
      at = end + 1;
    }
    this.#hold(bytes.subarray(at));
  }

  /** How many bytes there are after the last line break. */
  get rest(): number {
    return this.#size;
  }

  #hold(bytes: Buffer): void {
    this.#size += bytes.length;
    if (this.#size > this.#limit) this.#held = [];
    else this.#held.push(Buffer.from(bytes));
  }
}
