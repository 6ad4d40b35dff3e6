import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isExecutable, run, SetupError, say, which, withProgress } from './commands.mjs';
import { cache } from './paths.mjs';

const PACKAGE = 'prometheus';
const built = join(cache, 'promtool', 'promtool');

/** Prometheus's own check of metrics: the one on PATH, or the one that was taken out of Debian's package. */
export function promtoolBinary() {
  return which('promtool') ?? (isExecutable(built) ? built : undefined);
}

/**
 * Takes promtool out of Debian's package, which is not installed: that would start a Prometheus. Where there is no apt that is said, and the
 * test that needs it is skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function providePromtool(signal) {
  if (!which('apt-get') || !which('dpkg-deb'))
    return say('promtool is not on PATH: the test with it is skipped; install Prometheus');
  mkdirSync(join(cache, 'promtool'), { recursive: true });
  const folder = mkdtempSync(join(cache, 'promtool', 'unpacking-'));
  try {
    await withProgress('fetching promtool with apt-get', 'under a minute', () => unpack(folder, signal));
    renameSync(join(folder, 'usr', 'bin', 'promtool'), built);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The package lists are fetched only if they turn out to be missing or out of date. @param {string} folder @param {AbortSignal} signal */
async function unpack(folder, signal) {
  const apt = (/** @type {string[]} */ ...args) =>
    run(`apt-get ${args.join(' ')}`, 'apt-get', ['-q', '-y', ...args], { signal, cwd: folder });
  // as root, apt would fetch as a user who may not write here, and say so
  const download = () => apt('-o', 'APT::Sandbox::User=root', 'download', PACKAGE);
  try {
    await download();
  } catch (error) {
    if (signal.aborted) throw error;
    await apt('update');
    await download();
  }
  const file = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (!file) throw new SetupError(`apt-get fetched no package ${PACKAGE}`);
  await run('dpkg-deb', 'dpkg-deb', ['-x', file, '.'], { signal, cwd: folder });
}
