import assert from 'node:assert/strict';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import {
  isRetryable,
  logsPayload,
  metricsPayload,
  rejectedIn,
  resourceOf,
  retryAfterMs,
  serviceOf,
  spansPayload,
} from '../../../lib/telemetry/index.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const resource = resourceOf({ 'service.name': 'orders' });
const ORDERS = { attributes: [{ key: 'service.name', value: { stringValue: 'orders' } }] };
const scope = { name: 'signet' };

describe('telemetry: what is sent', () => {
  it('a span as OTLP/JSON has it: ids in hex, times in nanoseconds, whole numbers as texts', () => {
    const span = {
      ...{ traceId: TRACE, spanId: SPAN, parentId: '00f067aa0ba902b7', traceState: 'a=1', name: 'GET' },
      ...({ kind: 'server', start: 1_700_000_000_000, end: 1_700_000_000_001.25, failed: true } as const),
      attributes: { path: '/a', status: 503, share: 0.5, whole: false, long: 'x'.repeat(2_000) },
    };
    assert.deepEqual(spansPayload(resource, [span]), {
      resourceSpans: [
        {
          resource: ORDERS,
          scopeSpans: [
            {
              scope,
              spans: [
                {
                  ...{ traceId: TRACE, spanId: SPAN, name: 'GET', kind: 2, parentSpanId: '00f067aa0ba902b7' },
                  traceState: 'a=1',
                  startTimeUnixNano: '1700000000000000000',
                  endTimeUnixNano: '1700000000001250000',
                  attributes: [
                    { key: 'path', value: { stringValue: '/a' } },
                    { key: 'status', value: { intValue: '503' } },
                    { key: 'share', value: { doubleValue: 0.5 } },
                    { key: 'whole', value: { boolValue: false } },
                    { key: 'long', value: { stringValue: 'x'.repeat(1_024) } },
                  ],
                  status: { code: 2 },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it('a log record, with the trace it belongs to or none', () => {
    const record = { at: 1_700_000_000_000, level: 'alarm', event: 'theft', attributes: { n: 1 } } as const;
    const of = (more: { traceId: string; spanId: string }) => logsPayload(resource, [{ ...record, ...more }]);
    const written = {
      timeUnixNano: '1700000000000000000',
      ...{ severityNumber: 21, severityText: 'ALARM', body: { stringValue: 'theft' } },
      attributes: [{ key: 'n', value: { intValue: '1' } }],
    };
    const whole = (logRecord: object) => ({
      resourceLogs: [{ resource: ORDERS, scopeLogs: [{ scope, logRecords: [logRecord] }] }],
    });
    assert.deepEqual(of({ traceId: '', spanId: '' }), whole(written));
    assert.deepEqual(
      of({ traceId: TRACE, spanId: SPAN }),
      whole({ ...written, traceId: TRACE, spanId: SPAN }),
    );
  });

  it('the metrics of a registry: sums, gauges, histograms whose buckets count for themselves', () => {
    const metrics = createMetrics();
    metrics.counter('a_total', 'A.').add(3, { code: '403' });
    metrics.gauge('b', 'B.').set(1.5);
    const seconds = metrics.histogram('c_seconds', 'C.', [0.1, 1]);
    for (const value of [0.05, 0.5, 0.7, 4]) seconds.observe(value, { side: 'inbound' });
    const [since, now] = [new Date(1_700_000_000_000), new Date(1_700_000_001_000)];
    const times = { startTimeUnixNano: '1700000000000000000', timeUnixNano: '1700000001000000000' };
    const attributes = (key: string, stringValue: string) => [{ key, value: { stringValue } }];
    assert.deepEqual(metricsPayload(resource, metrics.families(), { since, now }), {
      resourceMetrics: [
        {
          resource: ORDERS,
          scopeMetrics: [
            {
              scope,
              metrics: [
                {
                  ...{ name: 'a_total', description: 'A.' },
                  sum: {
                    ...{ aggregationTemporality: 2, isMonotonic: true },
                    dataPoints: [{ attributes: attributes('code', '403'), ...times, asDouble: 3 }],
                  },
                },
                {
                  name: 'b',
                  description: 'B.',
                  gauge: { dataPoints: [{ attributes: [], ...times, asDouble: 1.5 }] },
                },
                {
                  ...{ name: 'c_seconds', description: 'C.' },
                  histogram: {
                    aggregationTemporality: 2,
                    dataPoints: [
                      {
                        attributes: attributes('side', 'inbound'),
                        ...times,
                        ...{ count: '4', sum: 5.25, bucketCounts: ['1', '2', '1'], explicitBounds: [0.1, 1] },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  for (const [path, want] of [
    ['ns/shop/sa/orders', { 'service.name': 'orders', 'service.namespace': 'shop' }],
    ['service-type/billing/ver/2/ins/7', { 'service.name': 'billing', 'service.version': '2' }],
    ['device-type/meter/ver/1.4/ins/4711', { 'service.name': 'meter', 'service.version': '1.4' }],
    ['ns/shop/sa/orders/x', { 'service.name': 'ns/shop/sa/orders/x' }],
    ['edge', { 'service.name': 'edge' }],
  ] as const)
    it(`names /${path}`, () => {
      const id = `spiffe://example.org/${path}`;
      assert.deepEqual(serviceOf(parseSpiffeId(id)), { ...want, 'signet.spiffe_id': id });
    });
});

describe('telemetry: what a collector answers', () => {
  it('which answers are worth another try', () => {
    assert.deepEqual(
      [200, 400, 401, 404, 413, 429, 500, 502, 503, 504].filter(isRetryable),
      [429, 502, 503, 504],
    );
  });

  it('how long it wants to be left alone, and never longer than a minute', () => {
    const now = new Date('2026-01-01T00:00:00Z');
    const asked = [
      '2',
      '0',
      '999',
      'Thu, 01 Jan 2026 00:00:03 GMT',
      'Wed, 31 Dec 2025 00:00:00 GMT',
      'soon',
      '',
      undefined,
    ];
    assert.deepEqual(
      asked.map((value) => retryAfterMs(value, now)),
      [2_000, 0, 60_000, 3_000, 0, null, null, null],
    );
  });

  it('how many of a batch it did not take', () => {
    const answers = [
      { partialSuccess: { rejectedSpans: '3', errorMessage: 'why' } },
      { partialSuccess: { rejectedLogRecords: 2 } },
      { partialSuccess: { rejectedDataPoints: 1 } },
      { partialSuccess: {} },
      ...[
        {},
        null,
        undefined,
        'text',
        7,
        [],
        { partialSuccess: null },
        { partialSuccess: { rejectedSpans: -1 } },
      ],
    ];
    assert.deepEqual(answers.map(rejectedIn), [3, 2, 1, ...new Array(9).fill(0)]);
  });
});
