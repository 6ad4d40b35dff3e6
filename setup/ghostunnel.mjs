import { SetupError, say, which } from './commands.mjs';
import { buildGo, builtGo, findBuiltGo, findGo } from './go-build.mjs';

/** Without cgo its sources do not compile. @type {import('./go-build.mjs').GoProgram} */
const ghostunnel = {
  name: 'ghostunnel',
  folder: 'tools/ghostunnel',
  package: 'github.com/ghostunnel/ghostunnel',
  cgo: true,
};
const WITHOUT = 'the benchmark goes without ghostunnel';

/** The ghostunnel that benchmarks compare with: the pinned one, built here; undefined where it is not. */
export function ghostunnelBinary() {
  return findBuiltGo(ghostunnel);
}

/** The pinned one. */
export function ghostunnelVersion() {
  return builtGo(ghostunnel).version;
}

/**
 * Builds the pinned ghostunnel, which needs Go and a C compiler. Where it does not come about that is said, and the benchmark goes
 * without it. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildGhostunnel(signal) {
  const { go, missing } = findGo();
  if (!go) return say(`${missing}: ${WITHOUT}`);
  if (!which('cc')) return say(`there is no C compiler on PATH: ${WITHOUT}`);
  try {
    await buildGo(ghostunnel, go, { expected: '1 to 2 minutes on two cores', signal });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    say(WITHOUT);
  }
}
