export type { Accept, Accepted, Relay } from './accepted.ts';
export type { Caller } from './caller.ts';
export type { Failure } from './failure.ts';
export { RELAY_LIMITS, type RelayLimits } from './limits.ts';
export { Listener, type ListenerDeps } from './listener.ts';
export { type Connection, type Connector, Pool, type PoolDeps } from './pool.ts';
export { type Gate, Refused, type RequestTransformer, Route } from './route.ts';
export { NEVER, type Ticker } from './ticker.ts';
export type { Upstream } from './upstream.ts';
