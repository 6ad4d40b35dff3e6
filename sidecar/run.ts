import { once } from 'node:events';
import type { Log } from '../lib/adapter/log.ts';
import { createMetrics, type Metrics } from '../lib/adapter/metrics.ts';
import type { Config } from './config/index.ts';
import type { Controls } from './controls.ts';
import type { Hardening } from './harden.ts';
import type { Svid } from './identity/credentials.ts';
import { createIdentity } from './identity/index.ts';
import { machineClock } from './identity/server-clock.ts';
import { readLine } from './identity/stdin.ts';
import { watchReadiness } from './readiness.ts';
import { type Serving, startServing } from './serving.ts';
import { statusOf } from './status.ts';
import type { Telemetry } from './telemetry/index.ts';

/** Whom a serving process answers to: the user by signals and the admin listener, or the supervisor that started it. */
export interface Direction {
  /** Fires when it shall drain and end. */
  readonly stop: AbortSignal;
  /** Whether those who wait for its end can wait for long. Asked when `stop` has fired. */
  readonly patient: boolean;
  /** Calls `reload` when identity and policies shall be renewed now. */
  onReload(reload: () => void): void;
  /** Takes questions, until it is disposed of. */
  oversee(controls: Controls): Promise<AsyncDisposable>;
  /** Told what is missing, whenever that changes. */
  tell(missing: readonly string[]): void;
}

/** Serves, from the first listener to the last drained request; as the only process, or as one of several. */
export async function run(
  config: Config & { readonly worker?: number },
  base: Log,
  hardening: Hardening,
  direction: Direction,
): Promise<void> {
  const { stop } = direction;
  const metrics = createMetrics();
  // First in, last out: it tells of all that the others do.
  await using telemetry = await telemetryFor(config, base, metrics, () => identity.credentials.current);
  const log = telemetry?.log ?? base;
  let serving: Serving | null = null;
  const identity = createIdentity({
    config,
    log,
    metrics,
    readStdin: () => readLine(process.stdin, stop),
    // Serving begins before the first evidence is shown, so no alarm comes before the audit is open.
    onTheft: ({ code, spiffeId, correlationId }) =>
      serving?.record({ type: 'alarm', code, spiffe_id: spiffeId, correlation_id: correlationId }),
  });
  const { credentials, rotator } = identity;
  direction.onReload(() => {
    log.info('reload');
    void rotator.rotate();
    void serving?.reload();
    serving?.reopenAudit().catch((error: unknown) => log.error('audit_not_reopened', { error }));
  });
  const missing = () => [
    ...(stop.aborted ? ['stopping'] : []),
    ...(credentials.current === null ? ['svid'] : []),
    ...(serving?.missing() ?? ['listeners']),
  ];

  // First in, last out: whoever watches us is told that we are not ready while we drain.
  await using _overseen = await direction.oversee({
    missing,
    status: () => statusOf(identity, { serving: serving?.status ?? null, hardening, missing: missing() }),
    metrics: () => metrics.render(),
    jwks: () => serving?.jwks ?? { keys: [] },
    rotate: () => rotator.rotate(),
  });
  using readiness = watchReadiness({ missing, log, told: (lacking) => direction.tell(lacking) });
  // the usual last piece is the SVID
  credentials.subscribe(() => setImmediate(readiness.look));
  const over = new AbortController();
  let rotating = Promise.resolve();
  try {
    await using started = await startServing({
      ...{ config, credentials, clock: machineClock, log, metrics, telemetry },
    });
    serving = started;
    rotating = rotator.run(over.signal);
    if (!stop.aborted) await Promise.race([once(stop, 'abort'), started.failed]);
    log.info('stopping', { reason: stop.reason });
    readiness.look();
    if (direction.patient) started.drainLong();
  } finally {
    // Only now: what is drained is served with a valid SVID to its end.
    over.abort();
    await rotating;
  }
  log.info('stopped');
}

async function telemetryFor(
  { telemetry: settings, logLevel, worker }: Config & { readonly worker?: number },
  log: Log,
  metrics: Metrics,
  svid: () => Svid | null,
): Promise<Telemetry | null> {
  if (settings === null) return null;
  const { createTelemetry } = await import('./telemetry/index.ts');
  const deps = { settings, svid, clock: machineClock, log, logLevel, metrics };
  return createTelemetry({ ...deps, ...(worker === undefined ? {} : { worker }) });
}
