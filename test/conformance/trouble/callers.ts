import { keptCaller, newCaller, pipeliningCaller } from './http1-callers.ts';
import { grpcCaller, http2Caller, tcpCaller, webSocketCaller } from './stream-callers.ts';

/** Those who ask, one exchange after the other. */
export const ASKING = {
  kept: keptCaller,
  new: newCaller,
  pipelined: pipeliningCaller,
  http2: http2Caller,
} as const;

/** Those who talk, over one connection that lives for long. */
export const TALKING = { grpc: grpcCaller, websocket: webSocketCaller, tcp: tcpCaller } as const;

/** All at once. */
export const EVERYONE = { ...ASKING, ...TALKING } as const;
