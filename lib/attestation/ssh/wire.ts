import { SshError } from './error.ts';

/**
 * Reads the SSH wire types of RFC 4251 §5 off a bounded block, front to back. What is not the one canonical encoding is refused.
 * Every method throws SshError `SSH_MALFORMED`, naming the block and the field.
 */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #block: string;
  #at = 0;

  constructor(bytes: Buffer, block: string) {
    this.#bytes = bytes;
    this.#block = block;
  }

  get offset(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The bytes read since an earlier `offset`. */
  since(offset: number): Buffer {
    return this.#bytes.subarray(offset, this.#at);
  }

  raw(length: number, field: string): Buffer {
    if (length > this.#bytes.length - this.#at) throw this.#bad(field, 'is cut short');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(field: string): number {
    return this.raw(4, field).readUInt32BE();
  }

  uint64(field: string): bigint {
    return this.raw(8, field).readBigUInt64BE();
  }

  string(field: string): Buffer {
    return this.raw(this.uint32(field), field);
  }

  /** A string of UTF-8 without control characters. */
  text(field: string): string {
    const bytes = this.string(field);
    const text = bytes.toString();
    if (!Buffer.from(text).equals(bytes) || /\p{Cc}/u.test(text)) throw this.#bad(field, 'is not plain text');
    return text;
  }

  /** A positive mpint's magnitude: no sign byte, no leading zero. */
  mpint(field: string): Buffer {
    const bytes = this.string(field);
    const first = bytes[0];
    if (first === undefined || first >= 0x80) throw this.#bad(field, 'is not a positive number');
    if (first !== 0) return bytes;
    if ((bytes[1] ?? 0) < 0x80) throw this.#bad(field, 'has a needless zero in front');
    return bytes.subarray(1);
  }

  /** @throws SshError when anything is left */
  end(): void {
    if (!this.atEnd) throw new SshError('SSH_MALFORMED', `${this.#block}: bytes after its end`);
  }

  #bad(field: string, why: string): SshError {
    return new SshError('SSH_MALFORMED', `${this.#block}: ${field} ${why}`);
  }
}

export function wireUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function wireString(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([wireUint32(bytes.length), bytes]);
}

/** `magnitude` is big-endian and positive; zeros in front are dropped. */
export function wireMpint(magnitude: Buffer): Buffer {
  const bytes = magnitude.subarray(magnitude.findIndex((byte) => byte !== 0));
  return wireString(bytes[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
}
