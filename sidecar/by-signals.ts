import { untilStopped } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import type { Notifier } from '../lib/adapter/notify.ts';
import { startAdmin } from './admin.ts';
import type { Config } from './config/index.ts';
import type { Direction } from './run.ts';

/** The one process of a sidecar: directed by signals, asked through its admin listener, watched by systemd. Call once. */
export function bySignals(
  { admin: listen, health }: Pick<Config, 'admin' | 'health'>,
  log: Log,
  notifier: Notifier,
): Direction {
  return {
    stop: untilStopped(),
    patient: false,
    onReload: (reload) => void process.on('SIGHUP', reload),
    async oversee(controls) {
      await using stack = new AsyncDisposableStack();
      const admin = stack.use(await startAdmin({ ...controls, listen }));
      log.info('listening', { what: 'admin', address: admin.address });
      if (health !== null) {
        const { startHealth } = await import('./health.ts');
        stack.use(await startHealth({ missing: controls.missing, listen: health, log }));
      }
      return stack.move();
    },
    tell: (missing) => notifier.tell(missing),
  };
}
