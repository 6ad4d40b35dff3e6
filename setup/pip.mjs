import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run, say, which, withProgress } from './commands.mjs';
import { cache, root } from './paths.mjs';

/**
 * What others publish as a Python package, pinned with all it needs, by hash, in `requirements`. `folder` is where it goes in the cache, to
 * which its version is added, so that a new pin installs anew; `lacking` is what is without it where there is no Python.
 * @typedef {{ name: string, package: string, requirements: string, folder: string, expected: string, lacking: string }} PipPackage
 */

/** Where a package is or would be. @param {PipPackage} pip */
export function pipFolder({ package: main, requirements, folder }) {
  const lines = readFileSync(join(root, requirements), 'utf8');
  const version = lines
    .split('\n')
    .find((line) => line.startsWith(`${main}==`))
    ?.split(/==|\s/)[1];
  return join(cache, `${folder}-${version}`);
}

/** The folder that Python is to look in; undefined where it is not installed. @param {PipPackage} pip */
export function installedPip(pip) {
  return [pipFolder(pip)].find((folder) => existsSync(folder));
}

/**
 * Installs a package beside its place and renames it into it. Without Python it says so. Call with the set-up lock held.
 * @param {PipPackage} pip @param {AbortSignal} signal
 */
export async function installPip(pip, signal) {
  const python = which('python3');
  if (!python) return say(`python3 is not on PATH: ${pip.lacking}`);
  const folder = pipFolder(pip);
  const unfinished = `${folder}-unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const options = [
    '--quiet',
    '--no-deps',
    '--require-hashes',
    '--target',
    unfinished,
    '-r',
    pip.requirements,
  ];
  try {
    await withProgress(`installing ${pip.name}`, pip.expected, () =>
      run('pip', python, ['-m', 'pip', 'install', ...options], { signal, cwd: root }),
    );
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
