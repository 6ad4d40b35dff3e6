import { randomUUID } from 'node:crypto';
import type { Clock } from '../lib/adapter/clock.ts';
import type { Log, LogLevel } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import type { OtlpSettings } from '../lib/adapter/otlp/index.ts';
import { parseSpiffeId } from '../lib/spiffe/index.ts';
import { resourceOf, serviceOf } from '../lib/telemetry/index.ts';

export type TelemetryDeps = {
  /** Null: nothing is sent. */
  readonly otlp: OtlpSettings | null;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly logLevel: LogLevel;
  readonly metrics: Metrics;
};

/** The log to write to. Where there is a collector, it gets the lines, and the metrics, at the latest when this is disposed of. */
export async function createTelemetry(deps: TelemetryDeps): Promise<AsyncDisposable & { readonly log: Log }> {
  const { otlp, trustDomain, clock, log, logLevel, metrics } = deps;
  if (otlp === null) return { log, [Symbol.asyncDispose]: async () => {} };
  const { startExport, teeLog } = await import('../lib/adapter/otlp/index.ts');
  const resource = resourceOf({
    ...serviceOf(parseSpiffeId(`spiffe://${trustDomain}/signet/broker`)),
    'service.instance.id': randomUUID(),
  });
  const outlets = await startExport({ ...otlp, resource: () => resource, clock, metrics, log });
  return {
    log: teeLog(log, { level: logLevel, clock, sink: (record) => outlets.logs.add(record) }),
    [Symbol.asyncDispose]: () => outlets.close(),
  };
}
