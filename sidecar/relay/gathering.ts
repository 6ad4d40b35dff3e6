/** A request that is held until its body is whole, in memory of its own. */
export class Gathering {
  private readonly bytes: Buffer;
  private filled: number;

  /** `begun` is what there is of it, `size` all of it: more. */
  constructor(begun: Buffer, size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.filled = begun.copy(this.bytes);
  }

  /** @returns the request and what came behind it, once it is whole; null before */
  add(piece: Buffer): Buffer | null {
    const taken = piece.copy(this.bytes, this.filled);
    this.filled += taken;
    if (this.filled < this.bytes.length) return null;
    return taken === piece.length ? this.bytes : Buffer.concat([this.bytes, piece.subarray(taken)]);
  }
}
