import type { Log } from '../../lib/adapter/log.ts';
import type { Alarms } from '../alarms.ts';
import type { Attestor } from '../attestors/index.ts';
import { x509 } from '../attestors/x509.ts';
import type { Instances } from '../instances.ts';
import type { DeviceConfig } from './config.ts';
import { createCrls } from './crls.ts';

export type DeviceDeps = {
  readonly instances: Instances;
  readonly alarms: Alarms;
  readonly log: Log;
  readonly now: () => Date;
};

export type Devices = {
  readonly attestor: Attestor;
  /** Keeps revocation lists current. */
  run(signal: AbortSignal): Promise<void>;
};

/** What attests devices by the certificates of their manufacturers. */
export function openDevices(config: DeviceConfig, { instances, alarms, log, now }: DeviceDeps): Devices {
  const places = new Set(config.authorities.flatMap(({ manufacturer }) => manufacturer.crls ?? []));
  const crls = createCrls({
    places: [...places],
    refreshMs: config.refreshMs,
    authorities: config.authorities,
    log,
    now,
  });
  return { attestor: x509({ config, crls, instances, alarms }), run: (signal) => crls.run(signal) };
}
