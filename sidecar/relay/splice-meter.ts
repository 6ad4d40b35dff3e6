import type { Counter, Gauge, Metrics } from '../../lib/adapter/metrics.ts';
import type { SpliceEnd } from './route.ts';

/** Counts what is spliced through on one side of the sidecar. */
export class SpliceMeter {
  private readonly open: Gauge;
  private readonly ends: Counter;
  private readonly bytes: Counter;
  private readonly counts = new Map<string, number>();

  constructor(metrics: Metrics, side: 'inbound' | 'outbound') {
    const name = `signet_${side}_spliced`;
    this.open = metrics.gauge(name, 'WebSockets and raw connections open, by protocol');
    this.ends = metrics.counter(`${name}_ended_total`, 'Those that ended, by protocol and reason');
    this.bytes = metrics.counter(`${name}_bytes_total`, 'Bytes they carried, by protocol and direction');
  }

  /** What it returns is to be called at the end. */
  begin(protocol: string): (end: SpliceEnd) => void {
    this.count(protocol, 1);
    return ({ reason, received, sent }) => {
      this.count(protocol, -1);
      this.ends.add(1, { protocol, reason });
      this.bytes.add(received, { protocol, direction: 'received' });
      this.bytes.add(sent, { protocol, direction: 'sent' });
    };
  }

  private count(protocol: string, by: number): void {
    const now = (this.counts.get(protocol) ?? 0) + by;
    this.counts.set(protocol, now);
    this.open.set(now, { protocol });
  }
}
