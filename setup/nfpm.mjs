import { say } from './commands.mjs';
import { buildGo, findBuiltGo, findGo } from './go-build.mjs';

/** @type {import('./go-build.mjs').GoProgram} */
const nfpm = {
  name: 'nfpm',
  folder: 'tools/nfpm',
  package: 'github.com/goreleaser/nfpm/v2/cmd/nfpm',
};

/** What makes .deb and .rpm packages: the pinned nfpm, built here; undefined where it is not. */
export function nfpmBinary() {
  return findBuiltGo(nfpm);
}

/**
 * Builds the pinned nfpm. Where there is no Go that is said. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildNfpm(signal) {
  const { go, missing } = findGo();
  if (!go) return say(`${missing}: .deb and .rpm packages are not made`);
  await buildGo(nfpm, go, { expected: 'about a minute on two cores', signal });
}
