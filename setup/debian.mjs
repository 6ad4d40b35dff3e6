import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run, SetupError, which, withProgress } from './commands.mjs';

/** Whether Debian's packages can be had without installing them. */
export function hasDebian() {
  return which('apt-get') !== undefined && which('dpkg-deb') !== undefined;
}

/**
 * Unpacks Debian's packages, installing nothing: that would start their services. `keep` takes out of the folder what is wanted; the rest goes.
 * @param {{ names: string[], what: string, beside: string, keep: (folder: string) => void, signal: AbortSignal }} options
 */
export async function unpackDebian({ names, what, beside, keep, signal }) {
  mkdirSync(beside, { recursive: true });
  const folder = mkdtempSync(join(beside, 'unpacking-'));
  try {
    await withProgress(`fetching ${what} with apt-get`, 'under a minute', () =>
      unpack(names, folder, signal),
    );
    keep(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The package lists are fetched only if they turn out to be missing or out of date. @param {string[]} names @param {string} folder @param {AbortSignal} signal */
async function unpack(names, folder, signal) {
  const apt = (/** @type {string[]} */ ...args) =>
    run(`apt-get ${args.join(' ')}`, 'apt-get', ['-q', '-y', ...args], { signal, cwd: folder });
  // as root, apt would fetch as a user who may not write here, and say so
  const download = () => apt('-o', 'APT::Sandbox::User=root', 'download', ...names);
  try {
    await download();
  } catch (error) {
    if (signal.aborted) throw error;
    await apt('update');
    await download();
  }
  const files = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  if (files.length < names.length) throw new SetupError(`apt-get fetched not all of ${names.join(' ')}`);
  for (const file of files) {
    await run('dpkg-deb', 'dpkg-deb', ['-x', file, '.'], { signal, cwd: folder });
    rmSync(join(folder, file));
  }
}
