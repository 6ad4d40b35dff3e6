import { type Attributes, knownMethod, OTHER_METHOD, type Span } from '../../lib/telemetry/index.ts';
import type { Observation, Trace } from '../observe.ts';

const FIRST_CLIENT_ERROR = 400;
const FIRST_SERVER_ERROR = 500;

/** An exchange as a span. It has nothing of a query, a header field or a body. */
export function spanOf(observation: Observation, { context, parentId, state }: Trace): Span {
  const { side, method, at, ms, status, whole } = observation;
  const { traceId, spanId } = context;
  const known = knownMethod(method);
  const inbound = side === 'inbound';
  const leastError = inbound ? FIRST_SERVER_ERROR : FIRST_CLIENT_ERROR;
  const failed = !whole || status === null || status >= leastError;
  return {
    ...{ traceId, spanId, parentId, traceState: state },
    name: known === OTHER_METHOD ? 'HTTP' : known,
    kind: inbound ? 'server' : 'client',
    start: at,
    end: at + ms,
    attributes: {
      'http.request.method': known,
      ...attributesOf(observation),
      ...(failed ? { 'error.type': errorOf(observation) } : {}),
    },
    failed,
  };
}

function attributesOf({ side, path, status, received, sent, ...of }: Observation): Attributes {
  return {
    'url.path': path,
    ...(status === null ? {} : { 'http.response.status_code': status }),
    'http.request.body.size': received,
    'http.response.body.size': sent,
    ...(of.upstream === '' ? {} : { 'server.address': of.upstream }),
    ...(side === 'inbound' ? { 'signet.caller': of.caller } : {}),
    ...(of.decision === '' ? {} : { 'signet.decision': of.decision }),
    'signet.effect': of.effect,
    ...(of.code === '' ? {} : { 'signet.code': of.code }),
    ...(of.trace === null ? {} : { 'signet.correlation_id': of.trace.correlation }),
  };
}

function errorOf({ code, status, whole }: Observation): string {
  if (code !== '') return code;
  return !whole || status === null ? 'cut' : String(status);
}
