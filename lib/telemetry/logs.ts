import { type Attributes, attributesOf, nanoseconds } from './attributes.ts';
import type { Resource } from './service.ts';
import { SCOPE } from './spans.ts';

export type LogRecord = {
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'alarm';
  readonly event: string;
  readonly attributes: Attributes;
  /** Of the request that it is about; empty for any other. */
  readonly traceId: string;
  readonly spanId: string;
};

/** OpenTelemetry's numbers. */
const SEVERITIES = { debug: 5, info: 9, warn: 13, error: 17, alarm: 21 } as const;

/** The body of a request to `/v1/logs`. */
export function logsPayload(resource: Resource, records: readonly LogRecord[]): object {
  const scope = { scope: SCOPE, logRecords: records.map(encoded) };
  return { resourceLogs: [{ resource, scopeLogs: [scope] }] };
}

function encoded({ at, level, event, attributes, traceId, spanId }: LogRecord): object {
  return {
    timeUnixNano: nanoseconds(at),
    severityNumber: SEVERITIES[level],
    severityText: level.toUpperCase(),
    body: { stringValue: event },
    attributes: attributesOf(attributes),
    ...(traceId === '' ? {} : { traceId, spanId }),
  };
}
