import type { Socket } from 'node:net';
import type { Accepted, Relay } from './accepted.ts';
import type { Gate } from './route.ts';

/** While it drains, a connection is waited for so long. */
const QUIET_MS = 500;
/** How every HTTP/2 connection begins (RFC 9113 §3.4), and no HTTP/1 one. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A plain connection until its first bytes tell what it speaks. Those of HTTP/1 tell at once. */
export class Prelude implements Accepted {
  readonly gate: Gate;
  private readonly socket: Socket;
  private readonly relay: Relay;
  private deadline: number;
  private readonly decided: (http2: boolean, first: Buffer) => void;
  private held: Buffer | null = null;

  /** `decided` is called once, when nothing of this listens to the socket any more. */
  constructor(socket: Socket, gate: Gate, relay: Relay, decided: (http2: boolean, first: Buffer) => void) {
    this.socket = socket;
    this.gate = gate;
    this.relay = relay;
    this.decided = decided;
    this.deadline = relay.ticker.in(relay.limits.headMs);
    socket.on('data', this.receive);
    socket.on('end', this.end);
    socket.on('error', this.ignore);
    socket.on('close', this.gone);
  }

  drain(): void {
    this.deadline = this.relay.ticker.in(QUIET_MS);
  }

  cut(): void {
    this.socket.destroy();
  }

  sweep(now: number): void {
    if (now >= this.deadline) this.socket.destroySoon();
  }

  private readonly receive = (chunk: Buffer): void => {
    const first = this.held === null ? chunk : Buffer.concat([this.held, chunk]);
    const known = Math.min(first.length, PREFACE.length);
    const http2 = first.compare(PREFACE, 0, known, 0, known) === 0;
    if (http2 && known < PREFACE.length) {
      this.held = first;
      return;
    }
    this.socket.off('data', this.receive);
    this.socket.off('end', this.end);
    this.socket.off('error', this.ignore);
    this.socket.off('close', this.gone);
    this.decided(http2, first);
  };

  private readonly end = (): void => {
    this.socket.end();
  };

  private readonly gone = (): void => {
    this.relay.closed(this);
  };

  private readonly ignore = (): void => {};
}
