import { connect } from 'node:net';
import type { Address } from '../address.ts';
import type { Problem } from '../http1/index.ts';
import type { Connector, Failure } from '../relay/index.ts';

/** Where the app is, and whether it speaks HTTP/2 there without being asked (h2c) as well as HTTP/1.1. */
export type App = Address & { readonly h2c?: true };

/** Plain connections to the app beside us, on loopback. */
export function appConnector(app: App): Connector {
  return {
    readyEvent: 'connect',
    open: (_address, onread) =>
      connect({
        host: app.host,
        port: app.port,
        noDelay: true,
        ...(onread === null ? {} : { onread, allowHalfOpen: true }),
      }),
    usable: () => true,
    transport: (socket) => socket,
    problem: told,
  };
}

function told({ kind, cause }: Failure): Problem {
  switch (kind) {
    case 'connect':
      return {
        status: 502,
        code: 'app_unreachable',
        detail: `the app does not accept connections (${cause})`,
      };
    case 'connect-timeout':
      return { status: 504, code: 'app_unreachable', detail: 'the app did not accept a connection in time' };
    case 'timeout':
      return { status: 504, code: 'app_timeout', detail: 'the app did not answer in time' };
    case 'malformed':
      return {
        status: 502,
        code: 'app_response_refused',
        detail: `the app's response is not one that can be passed on (${cause})`,
      };
    case 'busy':
      return { status: 503, code: 'app_busy', detail: 'the app has as many streams open as it takes' };
    default:
      return {
        status: 502,
        code: 'app_closed',
        detail: `the app closed the connection before it answered (${cause})`,
      };
  }
}
