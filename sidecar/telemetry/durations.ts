import type { Metrics } from '../../lib/adapter/metrics.ts';
import { DURATION_BOUNDS } from '../../lib/telemetry/index.ts';
import type { Observer } from '../observe.ts';

const SECOND_MS = 1_000;

/** Measures exchanges from judgement to end. The labels are few whatever is asked: side and effect. */
export function measureDurations(metrics: Metrics): Observer {
  const seconds = metrics.histogram(
    'signet_request_duration_seconds',
    'Time from the judgement of a request to the end of its answer, by side and effect',
    DURATION_BOUNDS,
  );
  return { observed: ({ side, effect, ms }) => seconds.observe(ms / SECOND_MS, { side, effect }) };
}
