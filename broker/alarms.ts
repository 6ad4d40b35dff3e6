import type { Log, LogFields } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';

/**
 * - `theft`: a grant was spent by somebody else than the workload it was given to.
 * - `clone`: two hold one instance's identity.
 * - `join_code`: a join code was shown that is spent, or was never ours.
 * - `aws_identity`: a cloud instance's identity document was shown by a machine with another host key than the first.
 */
export type Alarm = 'theft' | 'clone' | 'join_code' | 'aws_identity';

/** What a human must look at now. */
export interface Alarms {
  raise(alarm: Alarm, fields: LogFields): void;
}

const HELP: Readonly<Record<Alarm, string>> = {
  theft: 'grants that somebody else spent',
  clone: 'instances locked because two held one identity',
  join_code: 'join codes shown that were spent or never ours',
  aws_identity: 'identity documents shown by another machine than the first',
};

export function createAlarms(log: Log, metrics: Metrics): Alarms {
  const counters = {
    theft: metrics.counter('signet_broker_theft_alarms_total', HELP.theft),
    clone: metrics.counter('signet_broker_clone_alarms_total', HELP.clone),
    join_code: metrics.counter('signet_broker_join_code_alarms_total', HELP.join_code),
    aws_identity: metrics.counter('signet_broker_aws_identity_alarms_total', HELP.aws_identity),
  };
  return {
    raise(alarm, fields) {
      counters[alarm].add();
      log.alarm(`${alarm}_alarm`, fields);
    },
  };
}
