import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { AuditEvent } from '../../lib/audit/index.ts';
import type { Config } from '../config/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { Policies } from './policies.ts';

export type { NamedPeer, Policies, PolicyStatus } from './policies.ts';

export type PoliciesDeps = {
  readonly config: Pick<Config, 'trustDomain' | 'broker' | 'mode' | 'inbound' | 'policyFile'>;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Writes down in the audit what came into force. */
  readonly record: (event: AuditEvent) => void;
};

/** Those of the configuration: a file's, the broker's, or none where nothing is proxied. */
export async function openPolicies(deps: PoliciesDeps): Promise<Policies | null> {
  const { config, log, metrics } = deps;
  if (config.mode === 'agent') return null;
  if (config.policyFile !== null) {
    if (config.inbound === null) return null;
    const { openPolicyFile } = await import('./file.ts');
    return await openPolicyFile({ file: config.policyFile, log, metrics });
  }
  const { openPolicyFeed } = await import('./feed.ts');
  return openPolicyFeed(deps);
}
