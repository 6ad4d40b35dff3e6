import { malformed } from './error.ts';

export function u8(value: number): Buffer {
  return Buffer.of(value);
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A `TPM2B`: a length of two bytes, then so many. */
export function sized(...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([u16(content.length), content]);
}

/** Reads what a TPM wrote (TPM 2.0 Part 2), big-endian, from front to end. Every method throws TpmError where bytes are missing. */
export class TpmReader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u16(): number {
    return this.take(2).readUInt16BE();
  }

  u32(): number {
    return this.take(4).readUInt32BE();
  }

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw malformed('cut off');
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  /** The content of a `TPM2B`. */
  sized(most: number): Buffer {
    const length = this.u16();
    if (length > most) throw malformed(`a part of ${length} bytes, the most is ${most}`);
    return this.take(length);
  }

  end(): void {
    if (this.at !== this.bytes.length) throw malformed('bytes after the end');
  }
}
