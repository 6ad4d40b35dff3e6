import type { Socket } from 'node:net';
import type { HeadWriter, RequestHead } from '../http1/index.ts';
import type { Leftovers } from './leftovers.ts';
import type { RelayLimits } from './limits.ts';
import type { Gate } from './route.ts';
import type { Ticker } from './ticker.ts';

/** A connection that we accepted, whatever it speaks. */
export interface Accepted {
  readonly gate: Gate;
  /**
   * Takes no new request soon and ends when those under way have, but for what would never end by itself: that ends within `ms`.
   * May be told more than once.
   */
  drain(ms: number): void;
  /** Ends everything at once, so that no half answer can be taken for a whole one. */
  cut(): void;
  /** Looks at its deadlines. */
  sweep(now: number): void;
}

/** What the connections of one listener share. */
export type Relay = {
  readonly limits: RelayLimits;
  readonly ticker: Ticker;
  readonly writer: HeadWriter;
  /** Told of every piece that was received into memory of its own. */
  readonly leftovers: Leftovers;
  /** Scanned into by one connection at a time. */
  readonly requestHead: RequestHead;
  closed(connection: Accepted): void;
};

/**
 * Takes over a connection that speaks some protocol; what came before is the first it is to read from the socket. `transport` is what
 * carries it: the socket itself, or the one below TLS.
 */
export type Accept = (socket: Socket, gate: Gate, relay: Relay, transport: Socket) => Accepted;
