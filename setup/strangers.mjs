import { say } from './commands.mjs';
import { buildGo, findBuiltGo, findGo, sourcesHash } from './go-build.mjs';
import { installedPip, installPip } from './pip.mjs';

const folder = 'tools/strangers';

/** A program of ours over Go's net/http and grpc-go. @type {import('./go-build.mjs').GoProgram} */
const goPrograms = { name: 'strangers', folder, package: '.', version: () => sourcesHash(folder) };

/** @type {import('./pip.mjs').PipPackage} */
const hyperH2 = {
  name: 'hyper-h2',
  package: 'h2',
  requirements: `${folder}/requirements.txt`,
  folder: 'strangers/h2',
  expected: 'a few seconds',
  lacking: 'the tests with hyper-h2 are skipped',
};

/** The program of Go's net/http and grpc-go that conformance tests drive; undefined where it is not built. */
export function goStranger() {
  return findBuiltGo(goPrograms);
}

/** Where Python finds the pinned hyper-h2; undefined where it is not installed. */
export function pythonStrangers() {
  return installedPip(hyperH2);
}

/**
 * Builds the Go program. Without Go it says so: the tests that need it are then skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildGoStranger(signal) {
  const { go, missing } = findGo();
  if (!go)
    return say(`${missing}: the tests with net/http and grpc-go are skipped; install Go 1.25 or newer`);
  await buildGo(goPrograms, go, { expected: 'under a minute', signal });
}

/** @param {AbortSignal} signal */
export async function installPythonStrangers(signal) {
  await installPip(hyperH2, signal);
}
