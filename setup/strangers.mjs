import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isExecutable, run, say, which, withProgress } from './commands.mjs';
import { cache, root } from './paths.mjs';

const sources = join(root, 'tools/strangers');
const requirements = join(sources, 'requirements.txt');

/** The program of Go's net/http and grpc-go that conformance tests drive; undefined where it is not built. */
export function goStranger() {
  const path = built();
  return isExecutable(path) ? path : undefined;
}

/** Where Python finds the pinned hyper-h2; undefined where it is not installed. */
export function pythonStrangers() {
  const folder = installed();
  return existsSync(folder) ? folder : undefined;
}

/**
 * Builds the Go program. It is written beside its place and renamed into it, so its place never holds half of one. Without Go it says so:
 * the tests that need it are then skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildGoStranger(signal) {
  const go = which('go');
  if (!go) return say('go is not on PATH: the tests with net/http and grpc-go are skipped');
  const path = built();
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}-unfinished`;
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', unfinished, '.'];
  const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
  try {
    await withProgress('building net/http and grpc-go programs', 'under a minute', () =>
      run('building tools/strangers', go, args, { signal, cwd: sources, env }),
    );
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/**
 * Installs the pinned hyper-h2. Without Python it says so: the tests that need it are then skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function installPythonStrangers(signal) {
  const python = which('python3');
  if (!python) return say('python3 is not on PATH: the tests with hyper-h2 are skipped');
  const folder = installed();
  const unfinished = `${folder}-unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const options = ['--quiet', '--no-deps', '--require-hashes', '--target', unfinished, '-r', requirements];
  try {
    await withProgress('installing hyper-h2', 'a few seconds', () =>
      run('pip', python, ['-m', 'pip', 'install', ...options], { signal, cwd: root }),
    );
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** Its name carries its sources, so that a change builds anew. */
function built() {
  const hash = createHash('sha256');
  for (const name of readdirSync(sources).sort())
    if (/\.go$|^go\.(mod|sum)$/.test(name)) hash.update(name).update(readFileSync(join(sources, name)));
  return join(cache, 'strangers', `go-${hash.digest('hex').slice(0, 16)}`);
}

function installed() {
  const version = /^h2==(\S+)/m.exec(readFileSync(requirements, 'utf8'))?.[1];
  return join(cache, 'strangers', `h2-${version}`);
}
