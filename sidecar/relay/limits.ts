import { HEAD_LIMITS, type HeadLimits } from '../http1/index.ts';

/** Bounds of everything a peer can make us hold or wait for. Times in milliseconds, kept to a tenth of a second; 0 bounds nothing. */
export type RelayLimits = {
  readonly head: HeadLimits;
  /** A request's body, as it is framed. */
  readonly bodyBytes: number;
  /** Accepted connections of all ports of a listener, once their peers are known. */
  readonly connections: number;
  /** Those of one peer: by its SPIFFE ID, or without one by its address; and TLS handshakes under way from one address. */
  readonly connectionsPerPeer: number;
  /** TLS handshakes under way; from one address no more than half of them. */
  readonly handshakes: number;
  /** Interim (1xx) responses to one request. */
  readonly interim: number;
  readonly handshakeMs: number;
  /** From the first byte of a head to its last. */
  readonly headMs: number;
  /** Between requests of one connection. */
  readonly idleMs: number;
  readonly connectMs: number;
  /** From the whole request sent to the first byte of its response. */
  readonly responseMs: number;
  /** Without a byte of a body moving, either way. */
  readonly stallMs: number;
  /** From a request's head to the end of its response. */
  readonly wholeMs: number;
  /** A connection of HTTP/2 that carries streams is asked so often whether its other end is still there. */
  readonly pingMs: number;
  /** Without a byte either way on a WebSocket or a raw connection. */
  readonly spliceIdleMs: number;
  /** An unused connection to an app or an upstream is kept for so long. */
  readonly poolIdleMs: number;
  /** Connections of one pool, busy or idle. */
  readonly poolConnections: number;
  /** Requests that wait, for `connectMs` at most, until one of these is free. */
  readonly poolWaiting: number;
};

export const RELAY_LIMITS: RelayLimits = {
  head: HEAD_LIMITS,
  bodyBytes: 0,
  connections: 10_000,
  connectionsPerPeer: 2_500,
  handshakes: 5_000,
  interim: 32,
  handshakeMs: 10_000,
  headMs: 10_000,
  idleMs: 120_000,
  connectMs: 5_000,
  responseMs: 60_000,
  stallMs: 60_000,
  wholeMs: 3_600_000,
  pingMs: 15_000,
  spliceIdleMs: 3_600_000,
  poolIdleMs: 60_000,
  poolConnections: 0,
  poolWaiting: 0,
};
