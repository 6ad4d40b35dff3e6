import type { Clock } from '../../lib/adapter/clock.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Fingerprint } from '../config/fingerprint.ts';
import type { Proofs } from '../inbound/screens.ts';
import { createProofs } from './proofs.ts';
import { createProver, type Prover } from './prover.ts';

/** Null: what goes out is not proven. */
export function proverFor({ sends, ttlSeconds }: Fingerprint, clock: Clock): Prover | null {
  return sends === 'off' ? null : createProver({ mode: sends, ttlSeconds, clock });
}

export function proofsFor({ requires }: Fingerprint, metrics: Metrics): Proofs {
  const skew = metrics.gauge(
    'signet_fingerprint_clock_skew_seconds',
    "How far the clock of the caller that differed last is ahead of this machine's",
  );
  return createProofs({ required: requires, skew });
}
