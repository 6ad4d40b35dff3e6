import type { OnReadOpts, Socket } from 'node:net';
import {
  agreesTo,
  BodyFollower,
  CONNECTION_CLOSE,
  LAST_CHUNK,
  NEED_MORE,
  NOTHING,
  type ResponseHead,
  refusalOf,
  scanResponse,
  UPGRADE_LINES,
} from '../http1/index.ts';
import type { Caller } from './caller.ts';
import type { Failure } from './failure.ts';
import type { Pool } from './pool.ts';
import { reset, type Side, type Splice } from './splice.ts';
import { NEVER } from './ticker.ts';

export type Open = (onread: OnReadOpts) => Socket;

/**
 * A connection that we made, to the app or to another sidecar, and the response side of the exchange on it. It reads into a buffer that
 * all connections of its pool share, so a piece is copied before another socket may hold it.
 */
export class Upstream implements Side {
  readonly socket: Socket;
  /** The number of the address it leads to. */
  readonly address: number;
  /** A request is under way on it, or it is being made for one. */
  engaged = false;
  /** When it may no longer be waited for (while it connects) or kept (while it is idle). */
  deadline = NEVER;
  dead = false;
  /** It has waited in the pool, where the peer may have closed it. On a new one the peer may yet refuse our certificate (TLS 1.3). */
  reused = false;
  answered = false;
  private readonly pool: Pool;
  private down: Caller | null = null;
  private readonly body = new BodyFollower();
  private inBody = false;
  private partial: Buffer | null = null;
  private keep = true;
  /** The body's end is the connection's: it goes on as chunks, so that a cut shows. */
  private wrap = false;
  private interim = 0;
  private paused = false;
  private splice: Splice | null = null;
  private error: NodeJS.ErrnoException | null = null;

  constructor(pool: Pool, address: number, open: Open) {
    this.pool = pool;
    this.address = address;
    this.socket = open({
      buffer: pool.readBuffer,
      callback: (length, buffer) => {
        this.receive(buffer as Buffer, length);
        return !this.paused;
      },
    });
    this.socket.on('drain', () => {
      if (this.splice === null) this.down?.upstreamDrained();
      else this.splice.drained(this);
    });
    this.socket.on('error', (error) => {
      this.error = error;
      // an error of TLS closes nothing by itself, and must not be handled within the call of TLS that tells it
      setImmediate(() => this.lose());
    });
    this.socket.on('end', () => this.ended());
    this.socket.on('close', () => this.lose());
  }

  /** Begins an exchange with the request's head and what there is of its body. @returns false when the socket wants a pause */
  start(down: Caller, piece: Buffer): boolean {
    this.down = down;
    this.inBody = false;
    this.interim = 0;
    this.deadline = NEVER;
    return this.socket.write(piece);
  }

  /** What it reads from now on goes through `splice`; there is no exchange. */
  spliceWith(splice: Splice): void {
    this.splice = splice;
  }

  /** Lets go of the exchange: its caller has gone, or was answered without it. What is half done cannot be used again. */
  abandon(): void {
    this.down = null;
    this.destroy();
  }

  /** The request on it was not answered in time. */
  tooLate(): void {
    this.pool.failed(this.address, { kind: 'timeout', cause: 'timeout', reused: this.reused });
  }

  pause(): void {
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  destroy(): void {
    this.dead = true;
    this.pool.forget(this);
    this.socket.destroy();
  }

  break(): void {
    const transport = this.pool.transport(this.socket);
    if (transport === undefined) {
      this.destroy();
      return;
    }
    this.dead = true;
    this.pool.forget(this);
    reset(transport, transport !== this.socket);
  }

  /** Why the connection failed, in one word. */
  get cause(): string {
    return this.error?.code ?? 'closed';
  }

  private receive(b: Buffer, length: number): void {
    if (this.dead) return;
    if (this.splice !== null) {
      this.splice.pass(this, this.pool.writer.copy(b, 0, length));
      return;
    }
    const down = this.down;
    // nobody asked: a response to come would be taken for another request's
    if (down === null) {
      this.destroy();
      return;
    }
    if (!this.inBody) {
      this.head(b, length, down);
      return;
    }
    const result = this.body.feed(b, 0, length);
    if (result < 0) {
      this.fail('malformed', refusalOf(result).code);
      return;
    }
    const end = result > 0 ? result : length;
    const { writer } = this.pool;
    const flowing = down.send(this.wrap ? writer.chunk(b, 0, end) : writer.copy(b, 0, end));
    if (this.body.done) this.finish(end === length);
    else if (!flowing) this.pause();
  }

  private head(b: Buffer, length: number, down: Caller): void {
    if (this.partial !== null) {
      b = Buffer.concat([this.partial, b.subarray(0, length)]);
      length = b.length;
      this.partial = null;
    }
    const { limits, responseHead: head, writer } = this.pool;
    for (let p = 0; ; ) {
      const result = scanResponse(b, p, length, limits.head, head);
      if (result === NEED_MORE) {
        this.partial = Buffer.from(b.subarray(p, length));
        return;
      }
      if (result < 0) {
        this.fail('malformed', refusalOf(result).code);
        return;
      }
      if (head.status >= 200) {
        if (down.offer && down.acceptedBy2xx && head.status < 300) this.fail('malformed', 'upgrade_response');
        else this.respond(b, result, length, head, down);
        return;
      }
      if (head.status === 101 && down.offer) {
        this.accept(b, result, length, head, down);
        return;
      }
      if (head.status === 101 || hasBody(head) || ++this.interim > limits.interim) {
        this.fail('malformed', 'interim_response');
        return;
      }
      down.sendInterim(writer.response(b, head, 'as-received', NOTHING, result, result));
      p = result;
    }
  }

  /** The server says that the connection is a WebSocket from here on. */
  private accept(b: Buffer, start: number, length: number, head: ResponseHead, down: Caller): void {
    if (!down.offer || !down.accepted || !agreesTo(down.offer, b, head)) {
      this.fail('malformed', 'upgrade_response');
      return;
    }
    const { writer } = this.pool;
    this.down = null;
    const piece = writer.response(b, head, 'as-received', UPGRADE_LINES, start, length);
    this.splice = down.accepted(this, piece, writer.copy(b, start, length));
  }

  private respond(b: Buffer, bodyStart: number, length: number, head: ResponseHead, down: Caller): void {
    if (head.status === 204 && hasBody(head)) {
      this.fail('malformed', 'framing_ambiguous');
      return;
    }
    if (down.isHead || head.status === 204 || head.status === 304) this.body.skip();
    else this.body.begin(head, true);
    let end = bodyStart;
    if (!this.body.done) {
      const result = this.body.feed(b, bodyStart, length);
      if (result < 0) {
        this.fail('malformed', refusalOf(result).code);
        return;
      }
      end = result > 0 ? result : length;
    }
    this.pool.answered(this.address, head.status);
    if (head.status < 400) this.answered = true;
    this.inBody = true;
    this.keep = !head.close && (head.http11 || head.keepAlive) && !this.body.untilClose;
    this.wrap = this.body.untilClose && down.http11;
    if (head.keepAliveSeconds >= 0) this.pool.heedKeepAlive(head.keepAliveSeconds);
    const close = down.endsWith(this.body.untilClose && !this.wrap);
    const flowing = down.sendHead(
      this.pool.writer.response(
        b,
        head,
        this.wrap ? 'chunked' : 'as-received',
        close ? CONNECTION_CLOSE : NOTHING,
        bodyStart,
        end,
      ),
      head.status,
      end - bodyStart,
    );
    if (this.body.done) this.finish(end === length);
    else if (!flowing) this.pause();
  }

  /** The response is complete. `clean` says that nothing came after it. */
  private finish(clean: boolean): void {
    const down = this.down!;
    this.down = null;
    this.inBody = false;
    // TLS gives what it has in hand even after a pause, so the end may have come while its caller was slow
    this.resume();
    if (this.keep && clean && down.requestSent) this.pool.release(this);
    else this.destroy();
    down.responseDone();
  }

  private ended(): void {
    // behind an error of TLS comes an end that is none
    if (this.error !== null) return;
    if (this.splice !== null) {
      this.splice.ended(this);
      return;
    }
    if (this.inBody && this.body.untilClose && this.down !== null) {
      if (this.wrap) this.down.send(LAST_CHUNK);
      this.finish(false);
      return;
    }
    this.lose();
  }

  private lose(): void {
    if (this.dead) return;
    if (this.splice === null) this.fail('closed', this.cause);
    else {
      this.destroy();
      this.splice.closed(this);
    }
  }

  private fail(kind: Failure['kind'], cause: string): void {
    const down = this.down;
    const reused = this.reused;
    this.down = null;
    this.destroy();
    if (down === null) return;
    const failure = { kind, cause, reused };
    // a kept connection may be closed at any time; that says nothing of the address
    if (kind !== 'closed' || !reused) this.pool.failed(this.address, failure);
    down.upstreamFailed(failure);
  }
}

/** Whether the head of a response that can have no body frames one. */
function hasBody(head: ResponseHead): boolean {
  return head.chunked || head.contentLength > 0;
}
