import { say } from './commands.mjs';
import { buildGo, findBuiltGo, findGo } from './go-build.mjs';

/** @type {import('./go-build.mjs').GoProgram} */
const h2spec = {
  name: 'h2spec',
  folder: 'tools/h2spec',
  package: 'github.com/summerwind/h2spec/cmd/h2spec',
};

/** The pinned h2spec, which holds the cases of HTTP/2 and HPACK; undefined where it is not built. */
export function h2specBinary() {
  return findBuiltGo(h2spec);
}

/**
 * Builds the pinned h2spec. Without Go it says so: the test of these cases is then skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildH2spec(signal) {
  const { go, missing } = findGo();
  if (!go) return say(`${missing}: the HTTP/2 cases of h2spec are skipped; install Go 1.25 or newer`);
  await buildGo(h2spec, go, { expected: 'about 10 seconds', signal });
}
