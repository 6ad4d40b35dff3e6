import {
  type LogRecord,
  logsPayload,
  metricsPayload,
  type Resource,
  rejectedIn,
  retryAfterMs,
  type Span,
  spansPayload,
} from '../../telemetry/index.ts';
import type { Clock } from '../clock.ts';
import { Agent as HttpAgent, request as httpRequest } from '../http.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Delivery, type Loss, Outlet } from './outlet.ts';
import { postJson } from './post.ts';

export type OtlpSettings = {
  readonly url: URL;
  /** PEM; null: the public authorities. */
  readonly ca: string | null;
};

export type ExportDeps = OtlpSettings & {
  /** Of whom it tells: asked when something is sent. */
  readonly resource: () => Resource;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Told when the collector is lost and found. Not one that writes into this. */
  readonly log: Log;
};

export interface Export {
  readonly spans: Outlet<Span>;
  readonly logs: Outlet<LogRecord>;
  /** Sends what waits and the last metrics, within a bound. */
  close(): Promise<void>;
}

type Signal = 'traces' | 'logs' | 'metrics';

/** Some 2 MB of spans. */
const MOST_WAITING = 2_048;
const BATCH = 512;
const FLUSH_MS = 1_000;
const METRICS_MS = 15_000;
const CLOSE_MS = 1_500;

/** Sends spans, log records and metrics to a collector: OTLP/HTTP with JSON. */
export async function startExport(deps: ExportDeps): Promise<Export> {
  const { clock, metrics, resource } = deps;
  const since = clock.now();
  const sent = metrics.counter('signet_telemetry_sent_total', 'Items that the collector took, by signal');
  const lost = metrics.counter(
    'signet_telemetry_lost_total',
    'Items that did not get to the collector, by signal and reason',
  );
  const post = await poster(deps);
  const outlet = <T>(signal: Signal, encode: (items: readonly T[]) => object, most = MOST_WAITING) =>
    new Outlet<T>({
      ...{ most, batch: Math.min(most, BATCH), random: Math.random },
      send: (items, stop) => post(signal, encode(items), stop),
      sent: (items) => sent.add(items, { signal }),
      lost: (items, reason: Loss) => lost.add(items, { signal, reason }),
    });
  const spans = outlet<Span>('traces', (items) => spansPayload(resource(), items));
  const logs = outlet<LogRecord>('logs', (items) => logsPayload(resource(), items));
  const tell = outlet<Date>(
    'metrics',
    () => metricsPayload(resource(), metrics.families(), { since, now: clock.now() }),
    1,
  );
  const flushing = setInterval(() => {
    spans.flush();
    logs.flush();
  }, FLUSH_MS);
  const telling = setInterval(() => tell.add(clock.now()), METRICS_MS);
  for (const timer of [flushing, telling]) timer.unref();
  return {
    spans,
    logs,
    async close() {
      clearInterval(flushing);
      clearInterval(telling);
      const bound = AbortSignal.timeout(CLOSE_MS);
      await Promise.all([spans.close(bound), logs.close(bound)]);
      tell.add(clock.now());
      await tell.close(bound);
    },
  };
}

/** One request to the collector. Which, of the three paths that OTLP/HTTP has, says the signal. */
async function poster({ url, ca, clock, log }: ExportDeps) {
  const secure = url.protocol === 'https:';
  const { Agent, request } = secure ? await import('node:https') : { Agent: HttpAgent, request: httpRequest };
  const trust = { rejectUnauthorized: true, ...(ca === null ? {} : { ca }) };
  const agent = new Agent({ keepAlive: true, ...(secure ? trust : {}) });
  const base = url.href.replace(/\/+$/, '');
  let failing = false;
  const heard = (code: string | null) => {
    if (failing === (code !== null)) return;
    failing = code !== null;
    if (code === null) log.info('telemetry_recovered');
    else log.warn('telemetry_failing', { code });
  };
  return async (signal: Signal, body: object, stop: AbortSignal): Promise<Delivery> => {
    try {
      const open = (bound: AbortSignal) =>
        request(`${base}/v1/${signal}`, { agent, method: 'POST', signal: bound });
      const { status, retryAfter, body: answer } = await postJson(open, body, stop);
      heard(status < 300 ? null : `status_${status}`);
      return {
        status,
        retryAfterMs: retryAfterMs(retryAfter, clock.now()),
        rejected: rejectedIn(answer),
      };
    } catch (error) {
      heard(codeOf(error));
      return { status: 0, retryAfterMs: null, rejected: 0 };
    }
  };
}

function codeOf(error: unknown): string {
  const { code, name } = Object(error) as { readonly code?: unknown; readonly name?: unknown };
  return String(code ?? name ?? 'failed');
}
