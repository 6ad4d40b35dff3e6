import { SetupError, say } from './commands.mjs';
import { buildGo, builtGo, findBuiltGo, findGo } from './go-build.mjs';

/** @type {import('./go-build.mjs').GoProgram} */
const opa = { name: 'OPA', folder: 'tools/opa', package: 'github.com/open-policy-agent/opa' };
const WITHOUT = 'the benchmark goes without OPA';

/** What compiles policies to WebAssembly, for the benchmark: the pinned OPA, built here; undefined where it is not. */
export function opaBinary() {
  return findBuiltGo(opa);
}

/** The pinned one. */
export function opaVersion() {
  return builtGo(opa).version;
}

/**
 * Builds the pinned OPA. Where it does not come about that is said, and the benchmark goes without it. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildOpa(signal) {
  const { go, missing } = findGo();
  if (!go) return say(`${missing}: ${WITHOUT}`);
  try {
    await buildGo(opa, go, { expected: '1 to 2 minutes on two cores', signal });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    say(WITHOUT);
  }
}
