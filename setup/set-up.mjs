import { constants } from 'node:os';
import { join } from 'node:path';
import { SetupError, say } from './commands.mjs';
import { hasDependencies, installDependencies } from './dependencies.mjs';
import { envoyBinary, installEnvoy } from './envoy.mjs';
import { withLock } from './lock.mjs';
import { cache } from './paths.mjs';
import { ensureSystemPackages, neededFor } from './system-packages.mjs';
import { findVault } from './vault.mjs';
import { buildVault, requireGo } from './vault-build.mjs';

const tasks = ['run', 'check', 'test', 'bench'];

/**
 * Brings the clone to where the task can run, doing only what is missing: a second run finds nothing to do.
 * @param {string[]} args at most one task; none means everything the product itself needs
 * @returns {Promise<number>} exit status
 */
export async function setUp(args) {
  const [task = 'run', ...rest] = args;
  if (!tasks.includes(task) || rest.length > 0) {
    say(`usage: setup.mjs [${tasks.join('|')}]`);
    return 2;
  }
  const stop = new AbortController();
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(name, () => stop.abort(new Interrupted(name)));
  }
  try {
    await provide(task, stop);
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      say('interrupted; run it again to go on');
      return 128 + constants.signals[error.signal];
    }
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return 1;
  }
}

class Interrupted extends Error {
  /** @param {'SIGINT' | 'SIGTERM' | 'SIGHUP'} signal */
  constructor(signal) {
    super(signal);
    this.signal = signal;
  }
}

/** @param {string} task @param {AbortController} stop */
async function provide(task, stop) {
  const needsVault = task !== 'check';
  if (needsVault && !findVault()) requireGo();
  const needsEnvoy = task === 'bench';
  if (!hasDependencies() || (needsVault && !findVault()) || (needsEnvoy && !envoyBinary())) {
    await withLock(join(cache, 'setup.lock'), stop.signal, () =>
      together(stop, [
        async () => hasDependencies() || (await installDependencies(stop.signal)),
        async () => !needsVault || findVault() || (await buildVault(requireGo(), stop.signal)),
        async () => !needsEnvoy || envoyBinary() || (await installEnvoy(stop.signal)),
      ]),
    );
  }
  await ensureSystemPackages(neededFor[task] ?? [], stop.signal);
}

/**
 * Runs the parts side by side. The first to fail stops the others, and all have ended when this throws.
 * @param {AbortController} stop
 * @param {(() => Promise<unknown>)[]} parts
 */
async function together(stop, parts) {
  await Promise.allSettled(
    parts.map(async (part) => {
      try {
        await part();
      } catch (error) {
        stop.abort(error);
      }
    }),
  );
  stop.signal.throwIfAborted();
}
