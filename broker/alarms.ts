import type { Log, LogFields } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';

/**
 * - `theft`: a grant was spent by somebody else than the workload it was given to.
 * - `clone`: two hold one instance's identity.
 * - `device_moved`: the name of a device, or the document of a cloud's instance, was shown with another key than it began with.
 * - `join_code`: a join code was shown that is spent, or was never ours.
 */
export type Alarm = 'theft' | 'clone' | 'join_code' | 'device_moved';

/** What a human must look at now. */
export interface Alarms {
  raise(alarm: Alarm, fields: LogFields): void;
}

const HELP: Readonly<Record<Alarm, string>> = {
  theft: 'grants that somebody else spent',
  clone: 'instances locked because two held one identity',
  join_code: 'join codes shown that were spent or never ours',
  device_moved: 'devices that showed another key than they began with',
};

export function createAlarms(log: Log, metrics: Metrics): Alarms {
  const counters = {
    theft: metrics.counter('signet_broker_theft_alarms_total', HELP.theft),
    clone: metrics.counter('signet_broker_clone_alarms_total', HELP.clone),
    join_code: metrics.counter('signet_broker_join_code_alarms_total', HELP.join_code),
    device_moved: metrics.counter('signet_broker_device_moved_alarms_total', HELP.device_moved),
  };
  return {
    raise(alarm, fields) {
      counters[alarm].add();
      log.alarm(`${alarm}_alarm`, fields);
    },
  };
}
