import type { Problem } from '../http1/index.ts';
import { type Failure, NOWHERE } from '../relay/index.ts';

/** A failed exchange with the upstream `name`, as our own app is told of it. */
export function upstreamProblem(name: string, { kind, reused, cause }: Failure): Problem {
  const about = (status: number, code: string, detail: string) => ({
    status,
    code,
    detail,
    upstream: name,
    cause,
  });
  switch (kind) {
    case 'connect':
      if (cause === NOWHERE.cause)
        return about(503, 'no_endpoints', `${name} has no pod that is ready to answer at present`);
      return isIdentity(cause)
        ? about(
            502,
            'upstream_identity',
            `the server at ${name}'s address did not prove that it may answer for ${name}`,
          )
        : about(502, 'upstream_unreachable', `${name} does not accept connections`);
    case 'connect-timeout':
      return about(504, 'upstream_unreachable', `${name} did not accept a connection in time`);
    case 'timeout':
      return about(504, 'upstream_timeout', `${name} did not answer in time`);
    case 'malformed':
      return about(
        502,
        'upstream_response_refused',
        `the response of ${name} is not one that can be passed on`,
      );
    case 'busy':
      return about(503, 'upstream_busy', `${name} is sent as many requests at once as may be`);
    default:
      // TLS 1.3: a server judges our certificate after we may already write
      if (!reused && cause.startsWith('ERR_SSL'))
        return about(502, 'upstream_refused_identity', `${name} refused our certificate`);
      return reused
        ? about(502, 'upstream_closed', `${name} closed the connection before it answered`)
        : about(
            502,
            'upstream_closed',
            `${name} closed a new connection before any answer; it may have refused our certificate`,
          );
  }
}

/** How a handshake ends with a sidecar that has no SVID to show, as while it starts. */
const NOTHING_TO_SHOW = 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE';

/** A connection that failed for what the server showed, not for the network. */
export function isIdentity(cause: string): boolean {
  if (cause === NOTHING_TO_SHOW) return false;
  return /^(?:SVID_|ERR_SSL|ERR_TLS|CERT_|UNABLE_|SELF_SIGNED|DEPTH_ZERO|INVALID_|PATH_LENGTH)/.test(cause);
}
