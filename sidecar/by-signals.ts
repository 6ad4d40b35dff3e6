import { untilStopped } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import { startAdmin } from './admin.ts';
import type { AdminListener } from './config/values.ts';
import type { Direction } from './run.ts';

/** The one process of a sidecar: directed by signals, asked through its admin listener. Call once. */
export function bySignals(listen: AdminListener, log: Log): Direction {
  return {
    stop: untilStopped(),
    patient: false,
    onReload: (reload) => void process.on('SIGHUP', reload),
    async oversee(controls) {
      const admin = await startAdmin({ ...controls, listen });
      log.info('listening', { what: 'admin', address: admin.address });
      return admin;
    },
    tell() {},
  };
}
