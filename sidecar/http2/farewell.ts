import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { Accepted, Gate, Relay } from '../relay/index.ts';

/** The peer gets this long to hear it, and so many bytes of its own are thrown away. */
const LINGER_MS = 2_000;
const LINGER_BYTES = 1_048_576;
const FRAME_HEAD = 9;
const SETTINGS = 4;
const GOAWAY = 7;
/** Two times 32 bits: the last stream that was looked at, and why it ends. */
const GOAWAY_FIXED = 8;

/**
 * Turns away a connection that speaks HTTP/2: what it hears is a server's preface and that no stream of it will be looked at (RFC 9113
 * §3.4, §6.8), so that it may ask for them all elsewhere.
 */
export function refuseHttp2(socket: Socket, gate: Gate, relay: Relay): Accepted {
  return new Farewell(socket, gate, relay);
}

class Farewell implements Accepted {
  readonly gate: Gate;
  private readonly socket: Socket;
  private readonly deadline: number;
  private heard = 0;

  constructor(socket: Socket, gate: Gate, relay: Relay) {
    this.socket = socket;
    this.gate = gate;
    this.deadline = relay.ticker.in(LINGER_MS);
    socket.on('data', (chunk: Buffer) => {
      this.heard += chunk.length;
      if (this.heard > LINGER_BYTES) this.cut();
    });
    socket.on('error', () => {});
    socket.on('close', () => relay.closed(this));
    socket.end(GOODBYE);
    socket.resume();
  }

  /** It is about to end as it is. */
  drain(): void {}

  cut(): void {
    this.socket.destroy();
  }

  sweep(now: number): void {
    if (now >= this.deadline) this.cut();
  }
}

function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  return Buffer.concat([head, payload]);
}

const reason = Buffer.alloc(GOAWAY_FIXED);
reason.writeUInt32BE(constants.NGHTTP2_ENHANCE_YOUR_CALM, 4);
const GOODBYE = Buffer.concat([
  frame(SETTINGS, Buffer.alloc(0)),
  frame(GOAWAY, Buffer.concat([reason, Buffer.from('too_many_connections')])),
]);
