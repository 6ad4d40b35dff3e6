import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { SpliceEnd } from './route.ts';
import { NEVER, type Ticker } from './ticker.ts';

/** One of two connections that are made one. */
export interface Side {
  /** A socket, or one stream of a connection that has many. */
  readonly socket: Duplex;
  pause(): void;
  resume(): void;
  /** Ends it at once, so that what was sent is not taken for whole. */
  break(): void;
}

/** What is known of the bytes of one direction. */
export interface Following {
  /** Told of each piece that is passed on. */
  feed(piece: Uint8Array): void;
  /** What ends the direction in the protocol's own way at this point; null where nothing may be put between. */
  goodbye(code: number): Buffer | null;
}

export type SpliceDeps = {
  readonly ticker: Ticker;
  readonly idleMs: number;
  /** From the accepted side to the other, and back. Null: bytes without a meaning. */
  readonly following: { readonly forth: Following; readonly back: Following } | null;
  over(end: SpliceEnd): void;
};

/** RFC 6455 §7.4.1 */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
/** Both sides get this long to take a goodbye, or both ends, to heart. */
const PARTING_MS = 1_000;
const KEEP_ALIVE_MS = 60_000;

/**
 * Passes bytes between two connections as they come, each direction as fast as its reader reads and until its writer ends. Its owner
 * tells it what happens to either side.
 */
export class Splice {
  private readonly down: Side;
  private readonly up: Side;
  private readonly deps: SpliceDeps;
  private readonly began = performance.now();
  private received = 0;
  private sent = 0;
  private downEnded = false;
  private upEnded = false;
  private idleAt: number;
  /** When it has to end though bytes flow. */
  private partAt = NEVER;
  private parting = false;
  private reason: SpliceEnd['reason'] | null = null;
  private told = false;

  constructor(down: Side, up: Side, deps: SpliceDeps) {
    this.down = down;
    this.up = up;
    this.deps = deps;
    this.idleAt = deps.ticker.in(deps.idleMs);
    // a peer that vanished without a word would otherwise be kept until the connection is idle for too long
    for (const { socket } of [down, up])
      if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  /** A piece came from `side`; it may be kept. */
  pass(side: Side, piece: Buffer): void {
    if (this.parting) return;
    const { following, ticker, idleMs } = this.deps;
    this.idleAt = ticker.in(idleMs);
    if (side === this.down) {
      this.received += piece.length;
      following?.forth.feed(piece);
      if (!this.up.socket.write(piece)) this.down.pause();
    } else {
      this.sent += piece.length;
      following?.back.feed(piece);
      if (!this.down.socket.write(piece)) this.up.pause();
    }
  }

  /** It has said goodbye, or is about to break. */
  get ending(): boolean {
    return this.parting;
  }

  /** `piece` came with what made the two sides one, and was passed on with it. */
  passedBack(piece: Buffer): void {
    this.sent += piece.length;
    this.deps.following?.back.feed(piece);
  }

  /** `side` takes more again. */
  drained(side: Side): void {
    if (!this.parting) this.other(side).resume();
  }

  /** `side` will send no more; it may still read. */
  ended(side: Side): void {
    if (side === this.down) this.downEnded = true;
    else this.upEnded = true;
    this.other(side).socket.end();
  }

  /** `side` is gone. */
  closed(side: Side): void {
    const whole = this.downEnded && this.upEnded;
    if (!whole && !this.parting) this.other(side).break();
    this.tell(this.reason ?? (whole ? 'ended' : 'broken'));
  }

  /** Goes on for `ms` at most, less the time of the goodbye. */
  drain(ms: number): void {
    if (ms <= PARTING_MS) this.part(GOING_AWAY, 'drained');
    else this.partAt = Math.min(this.partAt, this.deps.ticker.in(ms - PARTING_MS));
  }

  /** Passes nothing on from now on. The second time it does not wait for a goodbye either. */
  cut(): void {
    this.part(POLICY_VIOLATION, 'cut');
  }

  sweep(now: number): void {
    if (now >= this.partAt) this.part(GOING_AWAY, this.reason ?? 'drained');
    else if (now >= this.idleAt) this.part(GOING_AWAY, 'idle');
  }

  private part(code: number, reason: SpliceEnd['reason']): void {
    if (this.parting || (this.downEnded && this.upEnded)) {
      this.down.break();
      this.up.break();
      this.tell(reason);
      return;
    }
    this.parting = true;
    this.reason = reason;
    this.partAt = this.deps.ticker.in(PARTING_MS);
    const { following } = this.deps;
    say(this.up, this.downEnded, following?.forth.goodbye(code));
    say(this.down, this.upEnded, following?.back.goodbye(code));
  }

  private other(side: Side): Side {
    return side === this.down ? this.up : this.down;
  }

  private tell(reason: SpliceEnd['reason']): void {
    if (this.told) return;
    this.told = true;
    const { received, sent } = this;
    this.deps.over({ received, sent, ms: Math.round(performance.now() - this.began), reason });
  }
}

/** `ended`: our direction towards it is at its end already. What it still sends is read, and dropped. */
function say(side: Side, ended: boolean, goodbye: Buffer | null | undefined): void {
  if (goodbye === null || goodbye === undefined) side.break();
  else {
    if (!ended) side.socket.end(goodbye);
    side.resume();
  }
}

/**
 * Ends a connection by a reset; what is above `transport` closes with it. Later, and never together with a `destroy` of TLS above:
 * Node 26.10 crashes when both are done within a call of TLS. TLS itself cannot be reset: it is given when what carries it is not known
 * any more.
 *
 * `secured`: TLS is above it. Its other end may lose a reset: writing its own goodbye takes the error away, what it reads next is a mere
 * end, and Node does not tell an end that TLS announced from one that it did not. So a record comes first that no TLS can take.
 */
export function reset(transport: Socket, secured: boolean): void {
  setImmediate(() => {
    if (transport.destroyed) return;
    if (transport instanceof TLSSocket) {
      transport.destroy();
      return;
    }
    if (secured) transport.write(UNREADABLE);
    transport.resetAndDestroy();
  });
}

/** Application data of TLS 1.3 with a seal that is none. */
const UNREADABLE = Buffer.concat([Buffer.from([0x17, 3, 3, 0, 32]), Buffer.alloc(32)]);
