import { randomUUID } from 'node:crypto';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log, LogLevel } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import { startExport, teeLog } from '../../lib/adapter/otlp/index.ts';
import { resourceOf, serviceOf } from '../../lib/telemetry/index.ts';
import type { TelemetrySettings } from '../config/telemetry.ts';
import type { Svid } from '../identity/credentials.ts';
import type { Observer, Tracing } from '../observe.ts';
import { measureDurations } from './durations.ts';
import { exchangeLines } from './exchange-lines.ts';
import { spanOf } from './spans.ts';
import { createTracing } from './tracing.ts';

export type TelemetryDeps = {
  readonly settings: TelemetrySettings;
  /** Ours at present. */
  readonly svid: () => Svid | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly logLevel: LogLevel;
  readonly metrics: Metrics;
  /** Which of several processes this is; left out where it is the only one. */
  readonly worker?: number;
};

/** What the sidecar tells of its work while it does it, and to whom. Loaded only where it is asked for. */
export interface Telemetry extends AsyncDisposable {
  readonly tracing: Tracing;
  readonly observers: readonly Observer[];
  /** The log that was given, of which a collector gets the same lines. */
  readonly log: Log;
}

export async function createTelemetry(deps: TelemetryDeps): Promise<Telemetry> {
  const { settings, clock, logLevel, metrics, worker } = deps;
  const tracing = createTracing(settings.share);
  const durations = measureDurations(metrics);
  if (settings.otlp === null) {
    const observers = [durations, exchangeLines(deps.log, logLevel, clock)];
    return { tracing, observers, log: deps.log, [Symbol.asyncDispose]: async () => {} };
  }
  const process = {
    'service.instance.id': randomUUID(),
    ...(worker === undefined ? {} : { 'signet.worker': worker }),
  };
  const outlets = await startExport({
    ...settings.otlp,
    resource() {
      const svid = deps.svid();
      const service = svid === null ? { 'service.name': 'unknown_service:signet' } : serviceOf(svid.id);
      return resourceOf({ ...service, ...process });
    },
    ...{ clock, metrics, log: deps.log },
  });
  const log = teeLog(deps.log, { level: logLevel, clock, sink: (record) => outlets.logs.add(record) });
  const spans: Observer = {
    observed(observation) {
      if (observation.trace?.context.sampled) outlets.spans.add(spanOf(observation, observation.trace));
    },
  };
  return {
    tracing,
    observers: [durations, spans, exchangeLines(log, logLevel, clock)],
    log,
    [Symbol.asyncDispose]: () => outlets.close(),
  };
}
