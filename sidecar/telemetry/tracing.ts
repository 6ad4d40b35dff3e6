import { randomFillSync } from 'node:crypto';
import {
  formatTraceParent,
  isBaggage,
  isCorrelationId,
  isSampledBy,
  parseTraceParent,
  readTraceState,
  type TraceContext,
} from '../../lib/telemetry/index.ts';
import { dropTraceFields, NOTHING, type RequestHead, readTraceFields } from '../http1/index.ts';
import type { Trace, Tracing } from '../observe.ts';
import type { RequestTransformer, Route } from '../relay/index.ts';

/** What came with the request is replaced by what we say; baggage goes on as it is, or not at all. */
const REPLACED: readonly RequestTransformer[] = [dropping(false)];
const REPLACED_AND_BAGGAGE: readonly RequestTransformer[] = [dropping(true)];

/** Of new traces, a `share` is recorded. */
export function createTracing(share: number): Tracing {
  const draw = randomHex();
  return {
    begin(head, trusted) {
      const { traceparent, tracestate, baggage, requestId } = readTraceFields(head);
      const parent = traceparent.length === 1 ? parseTraceParent(traceparent[0]!) : null;
      const traceId = parent === null ? draw(16) : parent.traceId;
      const sampled =
        parent !== null && trusted
          ? parent.sampled
          : parent?.sampled !== false && isSampledBy(share, traceId);
      const correlation = requestId.length === 1 && isCorrelationId(requestId[0]!) ? requestId[0]! : traceId;
      const context = { traceId, spanId: draw(8), sampled };
      const state = parent === null ? '' : readTraceState(tracestate);
      const transformers = baggage.length === 0 || isBaggage(baggage) ? REPLACED : REPLACED_AND_BAGGAGE;
      return new RequestTrace(context, parent?.spanId ?? '', state, correlation, transformers);
    },
  };
}

class RequestTrace implements Trace {
  readonly context: TraceContext;
  readonly parentId: string;
  readonly state: string;
  readonly correlation: string;
  private readonly transformers: readonly RequestTransformer[];

  constructor(
    context: TraceContext,
    parentId: string,
    state: string,
    correlation: string,
    transformers: readonly RequestTransformer[],
  ) {
    this.context = context;
    this.parentId = parentId;
    this.state = state;
    this.correlation = correlation;
    this.transformers = transformers;
  }

  along(route: Route): Route {
    const { context, state, correlation } = this;
    const lines = [
      `traceparent: ${formatTraceParent(context)}\r\n`,
      state === '' ? '' : `tracestate: ${state}\r\n`,
      `x-request-id: ${correlation}\r\n`,
    ];
    return route.plus(Buffer.from(lines.join(''), 'latin1'), this.transformers);
  }
}

function dropping(baggage: boolean): RequestTransformer {
  return (head: RequestHead) => {
    dropTraceFields(head, baggage);
    return NOTHING;
  };
}

/** Draws many ids at once: a call for each would cost more than the rest of it. */
function randomHex(): (bytes: number) => string {
  const pool = Buffer.alloc(4_096);
  let at = pool.length;
  return function draw(bytes): string {
    if (at + bytes > pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    at += bytes;
    const id = pool.toString('hex', at - bytes, at);
    // all zero would be none
    return /[1-9a-f]/.test(id) ? id : draw(bytes);
  };
}
