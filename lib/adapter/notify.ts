import { openSystemCalls } from './ffi.ts';
import type { Log } from './log.ts';

/** What a service tells the systemd that started it, by the protocol of sd_notify(3). */
export interface Notifier extends Disposable {
  /**
   * Told what the service still lacks, whenever that changes. It is ready the first time that nothing is missing; what is missing stands in
   * the status that `systemctl status` shows.
   */
  tell(missing: readonly string[]): void;
}

const SILENT: Notifier = { tell() {}, [Symbol.dispose]() {} };

/**
 * For a service of `Type=notify`; for any other it does nothing. Where the unit has `WatchdogSec=`, systemd is told twice in that time that the
 * process still turns: one that hangs is ended and started anew. The variables of the protocol leave the environment, so that nothing this
 * process starts speaks for it.
 */
export async function openNotifier(environment: NodeJS.ProcessEnv, log: Log): Promise<Notifier> {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: period, WATCHDOG_PID: watched } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  if (!socket) return SILENT;
  const calls = await openSystemCalls();
  if (!calls) {
    log.error('notify_unavailable', { message: 'systemd is not told when this is ready: use Type=exec' });
    return SILENT;
  }
  const send = (...lines: readonly string[]) => {
    if (!calls.sendToSocket(socket, lines.join('\n'))) log.warn('notify_failed', { lines });
  };
  let ready = false;
  const milliseconds = Number(period ?? 0) / 2_000;
  const watch = watched === undefined || Number(watched) === process.pid ? milliseconds : 0;
  const timer = watch > 0 ? setInterval(() => send('WATCHDOG=1'), watch) : undefined;
  timer?.unref();
  return {
    tell(missing) {
      const status = missing.length === 0 ? 'serving' : `waiting for ${missing.join(', ')}`;
      if (missing.includes('stopping')) return send('STOPPING=1', 'STATUS=draining');
      const first = !ready && missing.length === 0;
      ready ||= first;
      send(...(first ? ['READY=1'] : []), `STATUS=${status}`);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
