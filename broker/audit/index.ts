import { join } from 'node:path';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Denylist } from '../../lib/adapter/publishing/denylist.ts';
import type { BundleSource } from '../bundle-source.ts';
import type { Connection } from '../connection.ts';
import { createGate } from '../limits.ts';
import { Problem } from '../problem.ts';
import type { Registrations } from '../registrations.ts';
import type { AuditRouteDeps } from '../routes/audit.ts';
import type { Session } from '../session.ts';
import { workloadAt } from '../workload.ts';
import { createCollection, type Sender } from './collection.ts';
import { createCountersigner } from './countersigner.ts';
import { createCountersigningKeys } from './countersigning-keys.ts';
import { createDenied } from './denied.ts';
import { folderOf } from './log-name.ts';

export type CollectingDeps = {
  readonly trustDomain: string;
  /** Where logs are kept; empty: none are taken. */
  readonly folder: string;
  readonly session: Session;
  readonly bundles: BundleSource;
  readonly registrations: Registrations;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Takes the audit of sidecars, and has what it took countersigned. */
export interface Collecting extends AsyncDisposable {
  readonly routeDeps: AuditRouteDeps;
  run(signal: AbortSignal): Promise<void>;
}

/** Each may hold a body of a MiB. */
const MOST_AT_ONCE = 64;

/** @throws the system's error when the folder cannot be had */
export async function createCollecting(deps: CollectingDeps): Promise<Collecting> {
  const { trustDomain, folder, session, bundles, clock, log, metrics, random } = deps;
  const now = () => clock.now();
  const denied = createDenied(deps.registrations, () => performance.now());
  const countersigner = createCountersigner({ vault: session, log, metrics, now, random });
  const records = metrics.counter('signet_broker_audit_records_total', 'audit records collected');
  const refusals = metrics.counter('signet_broker_audit_refused_total', 'audit batches refused');
  const collection =
    folder === '' ? undefined : await createCollection({ folder, countersigner, log, records, refusals });
  return {
    routeDeps: {
      ...{ trustDomain, collection, bundles },
      gate: createGate(MOST_AT_ONCE),
      countersigningKeys: createCountersigningKeys(session, () => performance.now()),
      lastCountersignature: ({ id }, name) =>
        countersigner.lastOf(join(folder, folderOf(id), `${name}.jsonl`)),
      senderOf: (connection) => senderOf(connection, deps, denied),
    },
    run: (signal) => (collection === undefined ? Promise.resolve() : countersigner.run(signal)),
    [Symbol.asyncDispose]: async () => void (await collection?.[Symbol.asyncDispose]()),
  };
}

async function senderOf(
  connection: Connection,
  { trustDomain, bundles, clock }: CollectingDeps,
  denied: () => Promise<Denylist>,
): Promise<Sender> {
  const { peer, bundle } = await workloadAt(connection, { trustDomain, bundles, now: () => clock.now() });
  const { ids, serials } = await denied();
  if (ids.has(peer.id.toString()) || serials.has(peer.serial)) throw new Problem('identity_denied');
  return { id: peer.id, bundle };
}
