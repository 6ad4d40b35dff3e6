import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run, say, which, withProgress } from './commands.mjs';
import { cache, root } from './paths.mjs';

const requirements = join(root, 'tools/kosoku/requirements.txt');

/** Where Python finds the pinned kosoku, with Autobahn's WebSocket cases; undefined where it is not installed. */
export function kosokuFolder() {
  return existsSync(folder()) ? folder() : undefined;
}

/**
 * Installs the pinned kosoku, which is published for Linux and macOS as a Python package. Without Python it says so: the test of these
 * cases is then skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function installKosoku(signal) {
  const python = which('python3');
  if (!python) return say("python3 is not on PATH: Autobahn's WebSocket cases are skipped");
  const unfinished = `${folder()}-unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const options = ['--quiet', '--no-deps', '--require-hashes', '--target', unfinished, '-r', requirements];
  try {
    await withProgress('installing kosoku', 'a few seconds', () =>
      run('pip', python, ['-m', 'pip', 'install', ...options], { signal, cwd: root }),
    );
    rmSync(folder(), { recursive: true, force: true });
    renameSync(unfinished, folder());
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function folder() {
  const version = /^kosoku==(\S+)/m.exec(readFileSync(requirements, 'utf8'))?.[1];
  return join(cache, `kosoku-${version}`);
}
