export type { Attributes, Value } from './attributes.ts';
export { isBaggage } from './baggage.ts';
export { isCorrelationId } from './correlation.ts';
export { DURATION_BOUNDS } from './durations.ts';
export { type LogRecord, logsPayload } from './logs.ts';
export { knownMethod, OTHER_METHOD } from './methods.ts';
export { type MetricFamily, metricsPayload, type Sample } from './metrics.ts';
export { rejectedIn } from './partial-success.ts';
export { isRetryable, retryAfterMs } from './retry.ts';
export { type Resource, resourceOf, serviceOf } from './service.ts';
export { type Span, spansPayload } from './spans.ts';
export {
  formatTraceParent,
  isSampledBy,
  parseTraceParent,
  type TraceContext,
} from './trace-context.ts';
export { readTraceState } from './trace-state.ts';
