import { once } from 'node:events';
import { untilStopped } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Notifier } from '../../lib/adapter/notify.ts';
import { startAdmin } from '../admin.ts';
import type { Config } from '../config/index.ts';
import { listens } from '../config/sharing.ts';
import type { Hardening } from '../harden.ts';
import { watchReadiness } from '../readiness.ts';
import { Crew } from './crew.ts';
import { untilFree } from './free-ports.ts';
import { wholeLines } from './whole-lines.ts';

/** All that a worker's drain may take, and a little more. */
const STOPPED_MS = 30_000;

/**
 * Runs workers, each with a key and an SVID of its own, and answers for all of them. It holds no key, no evidence and no connection but
 * those of its admin listener. When it is gone, however, its workers end by themselves.
 */
export async function supervise(
  config: Pick<Config, 'workers' | 'inbound' | 'outbound' | 'audit' | 'admin' | 'health'>,
  log: Log,
  hardening: Hardening,
  notifier: Notifier,
): Promise<void> {
  const stop = untilStopped();
  const output = config.audit.stdout ? { output: wholeLines(process.stdout) } : {};
  const crew = new Crew({ workers: config.workers, log, stop, ...output });
  // the second signal ends this process, and nobody may outlive it
  process.on('exit', () => {
    if (stop.aborted) crew.kill();
  });
  process.on('SIGHUP', () => {
    log.info('reload');
    crew.reload();
  });
  process.on('SIGUSR2', () => void crew.restart());

  const missing = () => [...(stop.aborted ? ['stopping'] : []), ...crew.missing];
  await using admin = await startAdmin({
    listen: config.admin,
    missing,
    status: async () => {
      const lacking = missing();
      return { ready: lacking.length === 0, missing: lacking, workers: await crew.status(), hardening };
    },
    metrics: () => crew.metrics(),
    jwks: () => crew.jwks(),
    rotate: () => crew.rotate(),
    restart: () => crew.restart(),
  });
  log.info('listening', { what: 'admin', address: admin.address });
  await using stack = new AsyncDisposableStack();
  if (config.health !== null) {
    const { startHealth } = await import('../health.ts');
    stack.use(await startHealth({ missing, listen: config.health, log }));
  }
  using readiness = watchReadiness({ missing, log, told: (lacking) => notifier.tell(lacking) });
  crew.onChange = readiness.look;
  await untilFree(listens(config), { log, stop });
  const running = crew.run();
  if (!stop.aborted) await once(stop, 'abort');
  log.info('stopping', { reason: stop.reason });
  readiness.look();
  await crew.end(STOPPED_MS);
  await running;
  log.info('stopped');
}
