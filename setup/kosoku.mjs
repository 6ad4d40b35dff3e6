import { installedPip, installPip } from './pip.mjs';

/** Published for Linux and macOS as a Python package. @type {import('./pip.mjs').PipPackage} */
const kosoku = {
  name: 'kosoku',
  package: 'kosoku',
  requirements: 'tools/kosoku/requirements.txt',
  folder: 'kosoku',
  expected: 'a few seconds',
  lacking: "Autobahn's WebSocket cases are skipped",
};

/** Where Python finds the pinned kosoku, with Autobahn's WebSocket cases; undefined where it is not installed. */
export function kosokuFolder() {
  return installedPip(kosoku);
}

/** @param {AbortSignal} signal */
export async function installKosoku(signal) {
  await installPip(kosoku, signal);
}
