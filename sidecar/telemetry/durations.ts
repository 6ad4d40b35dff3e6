import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Observer } from '../observe.ts';

const SECOND_MS = 1_000;
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Measures exchanges from judgement to end. The labels are few whatever is asked: side and effect. */
export function measureDurations(metrics: Metrics): Observer {
  const seconds = metrics.histogram(
    'signet_request_duration_seconds',
    'Time from the judgement of a request to the end of its answer, by side and effect',
    BUCKETS,
  );
  return { observed: ({ side, effect, ms }) => seconds.observe(ms / SECOND_MS, { side, effect }) };
}
