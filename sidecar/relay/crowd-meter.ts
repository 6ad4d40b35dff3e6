import type { Log } from '../../lib/adapter/log.ts';
import type { Counter, Metrics } from '../../lib/adapter/metrics.ts';
import type { Excess } from './crowd.ts';

/** Whoever is turned away is one of many: one line a second tells it. */
const TELL_EVERY_MS = 1_000;

/** Counts the connections that one side of the sidecar turned away. */
export class CrowdMeter {
  private readonly side: 'inbound' | 'outbound';
  private readonly log: Log;
  private readonly refused: Counter;
  private told = Number.NEGATIVE_INFINITY;

  constructor(metrics: Metrics, log: Log, side: 'inbound' | 'outbound') {
    this.side = side;
    this.log = log;
    this.refused = metrics.counter(
      `signet_${side}_connections_refused_total`,
      'Connections refused because there were too many, by which bound',
    );
  }

  count(reason: Excess, peer: string): void {
    this.refused.add(1, { reason });
    const now = performance.now();
    if (now - this.told < TELL_EVERY_MS) return;
    this.told = now;
    this.log.warn('connections_refused', { side: this.side, reason, peer });
  }
}
