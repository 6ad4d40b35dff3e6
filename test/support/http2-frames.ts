import type { Socket } from 'node:net';

/** Frame types (RFC 9113 §6). */
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** Flags. */
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;

/** Error codes (RFC 9113 §7). */
export const NO_ERROR = 0;
export const PROTOCOL_ERROR = 1;
export const INTERNAL_ERROR = 2;
export const FLOW_CONTROL_ERROR = 3;
export const REFUSED_STREAM = 7;
export const CANCEL = 8;
export const ENHANCE_YOUR_CALM = 11;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

const NOTHING = Buffer.alloc(0);
const FRAME_HEAD = 9;

/** One frame, sound or not: nothing is checked. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = NOTHING): Buffer {
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export type Field = readonly [name: string, value: string];

/** A header block without compression: every field a literal that is not indexed (RFC 7541 §6.2.2). */
export function headerBlock(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])));
}

/** A field that goes into the dynamic table (RFC 7541 §6.2.1), to be named again by `indexed`. */
export function indexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), text(name), text(value)]);
}

/** The field at this place of the tables; 62 is the newest of the dynamic one. */
export function indexed(place: number): Buffer {
  return integer(place, 7, 0x80);
}

/** HEADERS, and CONTINUATION for what does not fit into it. */
export function headers(stream: number, fields: readonly Field[], flags = END_HEADERS | END_STREAM): Buffer {
  const block = headerBlock(fields);
  const parts = Array.from({ length: Math.ceil(block.length / MOST_PAYLOAD) }, (_, i) =>
    block.subarray(i * MOST_PAYLOAD, (i + 1) * MOST_PAYLOAD),
  );
  return Buffer.concat(
    parts.map((part, i) => {
      const last = i === parts.length - 1 ? flags & END_HEADERS : 0;
      return i === 0
        ? frame(HEADERS, (flags & ~END_HEADERS) | last, stream, part)
        : frame(CONTINUATION, last, stream, part);
    }),
  );
}

/** What a frame may hold unless the other end says otherwise. */
const MOST_PAYLOAD = 16_384;

export function data(stream: number, body: string | Buffer, flags = 0): Buffer {
  return frame(DATA, flags, stream, Buffer.from(body));
}

export function reset(stream: number, code: number): Buffer {
  return frame(RST_STREAM, 0, stream, uint32(code));
}

export function goaway(lastStream: number, code: number): Buffer {
  return frame(GOAWAY, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}

export function windowUpdate(stream: number, bytes: number): Buffer {
  return frame(WINDOW_UPDATE, 0, stream, uint32(bytes));
}

export function settings(values: Readonly<Record<number, number>> = {}, flags = 0): Buffer {
  const parts = Object.entries(values).map(([id, value]) => {
    const part = Buffer.alloc(6);
    part.writeUInt16BE(Number(id), 0);
    part.writeUInt32BE(value, 2);
    return part;
  });
  return frame(SETTINGS, flags, 0, Buffer.concat(parts));
}

export function uint32(value: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(value >>> 0);
  return b;
}

/** `GET path` as fields. */
export function request(path: string, method = 'GET', more: readonly Field[] = []): Field[] {
  return [[':method', method], [':scheme', 'https'], [':authority', 'orders'], [':path', path], ...more];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7, 0), bytes]);
}

/** RFC 7541 §5.1 */
function integer(value: number, bits: number, first: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.of(first | value);
  const bytes = [first | most];
  let rest = value - most;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

export type Frame = {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
};

/** One end of a connection that speaks frames: says what it is told and keeps all it hears. It answers nothing by itself but SETTINGS. */
export class FramePeer implements Disposable {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  closed = false;
  /** Says yes to the other end's SETTINGS. */
  acknowledges = true;
  /** For a test that answers. */
  onFrame: (frame: Frame) => void = () => {};
  private held = NOTHING;
  private prefaceLeft: number;

  /** `accepts`: the other end begins with the preface. */
  constructor(socket: Socket, accepts = false) {
    this.socket = socket;
    this.prefaceLeft = accepts ? PREFACE.length : 0;
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.closed = true;
    });
  }

  send(...parts: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts));
  }

  /** The first frame of a type, on this stream if one is named, since the connection began. */
  first(type: number, stream?: number): Frame | undefined {
    return this.all(type, stream)[0];
  }

  all(type: number, stream?: number): Frame[] {
    return this.frames.filter((f) => f.type === type && (stream === undefined || f.stream === stream));
  }

  /** The code of the RST_STREAM that a stream was answered with. */
  resetOf(stream: number): number | undefined {
    return this.first(RST_STREAM, stream)?.payload.readUInt32BE(0);
  }

  /** The code of GOAWAY. */
  get farewell(): number | undefined {
    return this.all(GOAWAY).at(-1)?.payload.readUInt32BE(4);
  }

  /** Whether a stream was ended as whole. */
  isWhole(stream: number): boolean {
    return this.frames.some(
      (f) => f.stream === stream && (f.type === DATA || f.type === HEADERS) && (f.flags & END_STREAM) !== 0,
    );
  }

  bodyOf(stream: number): string {
    return Buffer.concat(this.all(DATA, stream).map(({ payload }) => payload)).toString('latin1');
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.held = Buffer.concat([this.held, chunk]);
    if (this.prefaceLeft > 0) {
      const skipped = Math.min(this.prefaceLeft, this.held.length);
      this.prefaceLeft -= skipped;
      this.held = this.held.subarray(skipped);
    }
    while (this.held.length >= FRAME_HEAD) {
      const end = FRAME_HEAD + this.held.readUIntBE(0, 3);
      if (this.held.length < end) return;
      const [type, flags] = [this.held[3]!, this.held[4]!];
      const stream = this.held.readUInt32BE(5) & 0x7fffffff;
      const received = { type, flags, stream, payload: this.held.subarray(FRAME_HEAD, end) };
      this.held = this.held.subarray(end);
      this.frames.push(received);
      if (this.acknowledges && type === SETTINGS && (flags & ACK) === 0) this.send(settings({}, ACK));
      this.onFrame(received);
    }
  }
}
