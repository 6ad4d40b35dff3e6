import { type Attributes, attributesOf, nanoseconds } from './attributes.ts';
import type { Resource } from './service.ts';

/** A piece of work that is over. Times are in milliseconds since 1970. */
export type Span = {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it is the first of its trace. */
  readonly parentId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: 'server' | 'client';
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  readonly failed: boolean;
};

const KINDS = { server: 2, client: 3 } as const;
const ERROR = 2;
export const SCOPE = { name: 'signet' };

/** The body of a request to `/v1/traces`. */
export function spansPayload(resource: Resource, spans: readonly Span[]): object {
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: SCOPE, spans: spans.map(encoded) }] }] };
}

function encoded(span: Span): object {
  const { traceId, spanId, parentId, traceState, name, kind, start, end, attributes, failed } = span;
  return {
    ...{ traceId, spanId, name, kind: KINDS[kind] },
    ...(parentId === '' ? {} : { parentSpanId: parentId }),
    ...(traceState === '' ? {} : { traceState }),
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(end),
    attributes: attributesOf(attributes),
    ...(failed ? { status: { code: ERROR } } : {}),
  };
}
