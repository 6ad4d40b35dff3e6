export type { Accept, Accepted, Relay } from './accepted.ts';
export { type Balance, NO_ADDRESS, ONE_ADDRESS } from './balance.ts';
export type { Caller } from './caller.ts';
export { CrowdMeter } from './crowd-meter.ts';
export { IDEMPOTENT, MOST_TRIES, TOO_SLOW, UNJUDGED } from './exchange-rules.ts';
export { type Failure, NOWHERE, wasCut } from './failure.ts';
export { RELAY_LIMITS, type RelayLimits } from './limits.ts';
export { type Http2, Listener, type ListenerDeps, type Port } from './listener.ts';
export { type Connection, type Connector, Pool, type PoolDeps } from './pool.ts';
export { acceptRaw } from './raw.ts';
export {
  type Gate,
  type HeaderFields,
  Pending,
  Refused,
  type RequestTransformer,
  Route,
  type SpliceEnd,
} from './route.ts';
export type { Side, Splice } from './splice.ts';
export { SpliceMeter } from './splice-meter.ts';
export { type ExchangeEnd, Tally, type Watch } from './tally.ts';
export { NEVER, type Ticker } from './ticker.ts';
export type { Upstream } from './upstream.ts';
export { spliceWebSocket } from './websocket.ts';
