import { createMetrics } from '../../../lib/adapter/metrics.ts';
import type { Mode } from '../../../lib/fingerprint/index.ts';
import { createProofs, createProver } from '../../../sidecar/fingerprint/index.ts';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import type { OutboundDeps } from '../../../sidecar/outbound/index.ts';
import type { WorldOptions } from '../inbound/world.ts';
import { type Pair, pair } from '../outbound/world.ts';
import { clock } from '../support.ts';

export type Modes = {
  /** What WEB's sidecar sends. */
  readonly sends?: Mode;
  /** The least that ORDERS' accepts. */
  readonly requires?: Mode;
  readonly inbound?: WorldOptions;
  readonly outbound?: Partial<OutboundDeps>;
};

/** Both proxies, with proofs between them. */
export function provenPair(modes: Modes = {}): Promise<Pair> {
  const { sends = 'channel', requires = sends, inbound = {}, outbound = {} } = modes;
  const skew = createMetrics().gauge('skew', 'skew');
  const proofs = createProofs({ required: requires, skew });
  return pair({
    inbound: { screens: { ...NO_SCREENS, proofs }, ...inbound },
    outbound: {
      prover: sends === 'off' ? null : createProver({ mode: sends, ttlSeconds: 10, clock }),
      ...outbound,
    },
  });
}
