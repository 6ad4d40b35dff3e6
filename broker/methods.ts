import type { Log } from '../lib/adapter/log.ts';
import type { Vault } from '../lib/adapter/vault.ts';
import type { Alarms } from './alarms.ts';
import { type Attestors, createAttestors } from './attestors/index.ts';
import type { ChallengeKeys } from './challenge-keys.ts';
import type { Clusters } from './clusters.ts';
import type { Config } from './config.ts';
import type { Instances } from './instances.ts';
import { createGate } from './limits.ts';
import type { Route } from './routes/route.ts';
import type { Schemas } from './schemas.ts';

/** The ways to attest that this broker's configuration allows, and what they need beside them. */
export interface Methods extends Disposable {
  readonly attestors: Attestors;
  readonly clusters: Clusters | undefined;
  readonly routes: readonly Route[];
  readonly schemas: Schemas;
  /** Keeps what they judge by current. */
  run(signal: AbortSignal): Promise<void>;
}

export type MethodDeps = {
  readonly vault: Vault;
  readonly instances: Instances;
  readonly alarms: Alarms;
  readonly keys: ChallengeKeys;
  readonly log: Log;
  readonly now: () => Date;
};

/** Loads what is asked for, and no other. */
export async function openMethods(config: Config, deps: MethodDeps): Promise<Methods> {
  const { vault, instances, alarms, keys, log, now } = deps;
  const pods = config.kubernetes.clusters.length === 0 ? undefined : await import('./clusters.ts');
  const clusters = await pods?.openClusters(config.kubernetes.clusters);
  for (const { name, kind } of config.kubernetes.clusters)
    log.info('cluster', { name, verified: kind === 'offline' ? 'offline' : 'review' });
  const devices =
    config.devices === null
      ? undefined
      : (await import('./devices/index.ts')).openDevices(config.devices, { instances, alarms, log, now });
  const tpms =
    config.tpm === null
      ? undefined
      : (await import('./tpm/index.ts')).openTpms({
          ...{ config: config.tpm, keys, log, now, gate: createGate(config.limits.attestations) },
        });
  const amazon =
    config.aws === null
      ? undefined
      : (await import('./attestors/aws.ts')).aws({ config: config.aws, instances, alarms });
  return {
    attestors: createAttestors({ vault, instances, alarms }, [
      ...(pods !== undefined && clusters !== undefined
        ? [pods.kubernetes({ ...config.kubernetes, clusters, log })]
        : []),
      ...(devices === undefined ? [] : [devices.attestor]),
      ...(tpms === undefined ? [] : [tpms.attestor]),
      ...(amazon === undefined ? [] : [amazon]),
    ]),
    clusters,
    routes: tpms?.routes ?? [],
    schemas: tpms?.schemas ?? {},
    run: async (signal) => await devices?.run(signal),
    [Symbol.dispose]: () => clusters?.[Symbol.dispose](),
  };
}
