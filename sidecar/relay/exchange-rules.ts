import type { Problem } from '../http1/index.ts';

/** A request is sent so often, at most. */
export const MOST_TRIES = 3;

/** Methods that may be sent again when nobody can tell whether they were served (RFC 9110 §9.2.2). */
export const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

export const TOO_SLOW: Problem = {
  status: 408,
  code: 'request_timeout',
  detail: 'the request did not arrive in time',
};

export const UNJUDGED: Problem = {
  status: 503,
  code: 'not_decided',
  detail: 'what this request is judged by did not come in time',
};
