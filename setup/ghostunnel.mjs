import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isExecutable, run, SetupError, say, which, withProgress } from './commands.mjs';
import { cache, root } from './paths.mjs';

const source = join(root, 'tools/ghostunnel');
const module = 'github.com/ghostunnel/ghostunnel';

/** The ghostunnel that benchmarks compare with: the pinned one, built here; undefined where it is not. */
export function ghostunnelBinary() {
  return [place()].find(isExecutable);
}

/**
 * Builds the pinned ghostunnel, which needs Go and a C compiler. Where it does not come about that is said, and the benchmark goes
 * without it. It is written beside its place and renamed into it. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildGhostunnel(signal) {
  const go = which('go');
  if (!go || !which('cc'))
    return say('Go or a C compiler is not on PATH: the benchmark goes without ghostunnel');
  mkdirSync(join(cache, 'ghostunnel'), { recursive: true });
  const unfinished = `${place()}-unfinished`;
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', unfinished, module];
  // without cgo its sources do not compile
  const env = { ...process.env, CGO_ENABLED: '1', GOWORK: 'off' };
  try {
    await withProgress('building ghostunnel with Go', '1 to 2 minutes on two cores', () =>
      run('building ghostunnel', go, args, { signal, cwd: source, env }),
    );
    renameSync(unfinished, place());
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    say('the benchmark goes without ghostunnel');
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Its name carries the version, so a new pin builds anew. */
function place() {
  return join(cache, 'ghostunnel', `ghostunnel-${ghostunnelVersion()}`);
}

/** The pinned one. */
export function ghostunnelVersion() {
  const pinned = /\sgithub\.com\/ghostunnel\/ghostunnel v(\S+)/.exec(
    readFileSync(join(source, 'go.mod'), 'utf8'),
  );
  if (!pinned?.[1]) throw new SetupError('tools/ghostunnel/go.mod pins no ghostunnel');
  return pinned[1];
}
