import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { BrokerSettings } from '../identity/broker-client.ts';
import type { Credentials } from '../identity/credentials.ts';
import { Backlog } from './backlog.ts';
import type { FileSink } from './file-sink.ts';
import { Sender } from './sender.ts';

export type Collecting = {
  readonly broker: BrokerSettings;
  /** Bytes of records that may wait for the broker. */
  readonly bufferBytes: number;
  /** Null: `refuse` when the broker is the only one that has the records, else `drop`. */
  readonly whenFull: 'refuse' | 'drop' | null;
};

export type CollectorDeps = Collecting & {
  /** Of the log. */
  readonly name: string;
  /** The number of the first record that will be pushed. */
  readonly firstSeq: number;
  /** Whether somebody else has the records too. */
  readonly elsewhere: boolean;
  /** Where what has left memory can be read again; null where that is nowhere. */
  readonly file: FileSink | null;
  readonly credentials: Credentials;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Sends the log to the broker: in batches, in order, each only when the one before it is on the broker's disk. */
export interface Collector {
  /** False when a record would have to be dropped, and must not be. */
  readonly accepting: boolean;
  /** The first of the records that were dropped, when there is room again to say so; else null. */
  readonly gap: number | null;
  readonly status: CollectorStatus;
  push(line: string, seq: number): void;
  /** The next record says what was dropped. */
  closeGap(): void;
  /** Only the last records come now: there is room for them, and for what is said of a gap. */
  end(): void;
  /** Waits until the broker has all, at most `deadlineMs`. @returns whether it has */
  close(deadlineMs: number): Promise<boolean>;
}

export type CollectorStatus = {
  /** The broker has all records before this one; null while it has not been asked. */
  readonly acknowledged: number | null;
  readonly behind: number;
  readonly dropped: number;
  /** Why the broker takes nothing now. */
  readonly failure: string | null;
  /** The last record that it countersigned. */
  readonly countersigned: { readonly seq: number; readonly time: string } | null;
};

export function createCollector(deps: CollectorDeps): Collector {
  const whenFull =
    deps.whenFull === 'refuse' || (deps.whenFull === null && !deps.elsewhere)
      ? 'refuse'
      : deps.file === null
        ? 'drop'
        : 'read-back';
  const backlog = new Backlog(deps.bufferBytes, whenFull, deps.firstSeq);
  const dropped = deps.metrics.counter(
    'signet_audit_dropped_total',
    'Audit records that never reached the broker',
  );
  const behind = deps.metrics.gauge('signet_audit_behind', 'Audit records that the broker does not have yet');
  const sender = new Sender(deps, backlog);
  let lost = 0;
  const lose = (records: number) => {
    lost += records;
    dropped.add(records);
  };
  sender.onLost = lose;
  const running = sender.run();
  const measure = () => behind.set(backlog.next - (sender.acknowledged ?? 0));
  const timer = setInterval(measure, 1_000);
  timer.unref();

  return {
    get accepting() {
      return backlog.accepting;
    },
    get gap() {
      return backlog.hasRoom ? backlog.gapFrom : null;
    },
    get status() {
      const { acknowledged, failure, countersigned } = sender;
      return {
        ...{ acknowledged, failure, countersigned, dropped: lost },
        behind: backlog.next - (acknowledged ?? 0),
      };
    },
    push(line, seq) {
      if (!backlog.push(line, seq)) lose(1);
      sender.wake();
    },
    closeGap: () => backlog.closeGap(),
    end() {
      backlog.ending = true;
    },
    async close(deadlineMs) {
      clearInterval(timer);
      const whole = await sender.finish(deadlineMs);
      await running;
      if (!whole)
        deps.log.warn('audit_broker_behind', { records: backlog.next - (sender.acknowledged ?? 0) });
      // what a file has is sent after the next start
      return whole || whenFull === 'read-back';
    },
  };
}
