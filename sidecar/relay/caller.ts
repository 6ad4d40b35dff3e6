import type { WebSocketOffer } from '../http1/index.ts';
import type { Failure } from './failure.ts';
import type { Pool } from './pool.ts';
import type { Splice } from './splice.ts';
import type { Upstream } from './upstream.ts';

/**
 * For whom a connection of a pool works: one request under way, by whatever protocol it came. It is answered in HTTP/1.1, in pieces that
 * it may keep.
 */
export interface Caller {
  readonly isHead: boolean;
  /** Whether it understands chunks and interim responses. */
  readonly http11: boolean;
  /** All of the request was handed on. */
  readonly requestSent: boolean;
  /** Whether the connection that was asked of `pool` is still wanted. */
  awaits(pool: Pool): boolean;
  /** The connection that was asked for stands. */
  connected(up: Upstream): void;
  /** The connection takes more of the request's body. */
  upstreamDrained(): void;
  /** There will be no response, or no more of it. */
  upstreamFailed(failure: Failure): void;
  /** Whether the caller's connection ends with this exchange, which the response's head has to say; `must` makes it so. */
  endsWith(must: boolean): boolean;
  sendInterim(piece: Buffer): void;
  /** The response's head, with `body` bytes of its body. @returns false when the caller reads more slowly than we send */
  sendHead(piece: Buffer, status: number, body: number): boolean;
  /** @returns as `sendHead` */
  send(piece: Buffer): boolean;
  responseDone(): void;
  /** What the request offers to make of its connection; null, or left out, when it offers nothing. */
  readonly offer?: WebSocketOffer | null;
  /** To it a 2xx says that the offer was accepted (RFC 9113 §8.5): no ordinary response to one may have such a status. */
  readonly acceptedBy2xx?: boolean;
  /** The offer was accepted: `piece` is the answer with `first` behind it, the first bytes of what is spliced from now on. */
  accepted?(up: Upstream, piece: Buffer, first: Buffer): Splice;
}
