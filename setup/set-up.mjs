import { constants } from 'node:os';
import { join } from 'node:path';
import { ansibleFolder, installAnsible } from './ansible.mjs';
import { SetupError, say } from './commands.mjs';
import { fillCompileCache } from './compile-cache.mjs';
import { containerPrograms, provideContainers } from './containers.mjs';
import { hasDependencies, installDependencies } from './dependencies.mjs';
import { envoyBinary, installEnvoy } from './envoy.mjs';
import { buildGhostunnel, ghostunnelBinary } from './ghostunnel.mjs';
import { buildH2spec, h2specBinary } from './h2spec.mjs';
import { hostRoot, provideHosts } from './hosts.mjs';
import { hasImageParts, provideImageParts } from './image-parts.mjs';
import { installKosoku, kosokuFolder } from './kosoku.mjs';
import { buildKubernetes, kubernetesPrograms } from './kubernetes.mjs';
import { withLock } from './lock.mjs';
import { buildNfpm, nfpmBinary } from './nfpm.mjs';
import { buildOpa, opaBinary } from './opa.mjs';
import { buildOtelcol, otelcolBinary } from './otelcol.mjs';
import { cache } from './paths.mjs';
import { promtoolBinary, providePromtool } from './promtool.mjs';
import { provideQemu, qemuBinary } from './qemu.mjs';
import { buildGoStranger, goStranger, installPythonStrangers, pythonStrangers } from './strangers.mjs';
import { ensureSystemPackages, neededFor } from './system-packages.mjs';
import { provideTerraform, terraformPrograms } from './terraform.mjs';
import { findVault } from './vault.mjs';
import { buildVault, requireGo } from './vault-build.mjs';

/** @typedef {{ present: () => unknown, demand?: () => unknown, provide: (signal: AbortSignal) => Promise<void> }} Part */

/** @type {Part} */
const dependencies = { present: hasDependencies, provide: installDependencies };
/** @type {Part} */
const vault = { present: findVault, demand: requireGo, provide: (signal) => buildVault(requireGo(), signal) };
/** @type {Part} */
const envoy = { present: envoyBinary, provide: installEnvoy };
/** @type {Part} */
const ghostunnel = { present: ghostunnelBinary, provide: buildGhostunnel };
/** @type {Part} */
const opa = { present: opaBinary, provide: buildOpa };
/** @type {Part} */
const kosoku = { present: kosokuFolder, provide: installKosoku };
/** @type {Part} */
const ansible = { present: ansibleFolder, provide: installAnsible };
/** @type {Part[]} */
const kubernetes = [
  { present: kubernetesPrograms, provide: buildKubernetes },
  { present: containerPrograms, provide: provideContainers },
];
/** @type {Part} */
const terraform = { present: terraformPrograms, provide: provideTerraform };
/** @type {Part} */
const h2spec = { present: h2specBinary, provide: buildH2spec };
/** @type {Part} */
const collector = { present: otelcolBinary, provide: buildOtelcol };
/** @type {Part[]} */
const observers = [collector, { present: promtoolBinary, provide: providePromtool }];
/** @type {Part[]} */
const strangers = [
  { present: goStranger, provide: buildGoStranger },
  { present: pythonStrangers, provide: installPythonStrangers },
];

/** @type {Part} */
const imageParts = { present: hasImageParts, provide: provideImageParts };
/** @type {Part} */
const nfpm = { present: nfpmBinary, provide: buildNfpm };
/** @type {Part} */
const hosts = { present: hostRoot, provide: provideHosts };
/** @type {Part} */
const qemu = { present: qemuBinary, provide: provideQemu };

/** What each task stands on. @type {Record<string, Part[]>} */
const partsOf = {
  run: [dependencies, vault, collector],
  check: [dependencies],
  test: [
    dependencies,
    vault,
    ...kubernetes,
    terraform,
    ansible,
    kosoku,
    h2spec,
    ...strangers,
    ...observers,
    imageParts,
    nfpm,
    hosts,
    qemu,
  ],
  bench: [dependencies, vault, envoy, ghostunnel, opa],
  image: [dependencies, imageParts],
  package: [dependencies, imageParts, nfpm],
};

/**
 * Brings the clone to where the task can run, doing only what is missing: a second run finds nothing to do.
 * @param {string[]} args at most one task; none means everything the product itself needs
 * @returns {Promise<number>} exit status
 */
export async function setUp(args) {
  const [task = 'run', ...rest] = args;
  const parts = partsOf[task];
  if (!parts || rest.length > 0) {
    say(`usage: setup.mjs [${Object.keys(partsOf).join('|')}]`);
    return 2;
  }
  const stop = new AbortController();
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(name, () => stop.abort(new Interrupted(name)));
  }
  try {
    await provide(parts, stop);
    await ensureSystemPackages(neededFor[task] ?? [], stop.signal);
    if (parts.includes(vault)) await fillCompileCache();
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      say('interrupted; run it again to go on');
      return 128 + constants.signals[error.signal];
    }
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return 1;
  }
}

class Interrupted extends Error {
  /** @param {'SIGINT' | 'SIGTERM' | 'SIGHUP'} signal */
  constructor(signal) {
    super(signal);
    this.signal = signal;
  }
}

/**
 * Provides what is missing. What a person would have to bring is demanded first, before anything is begun.
 * @param {Part[]} parts @param {AbortController} stop
 */
async function provide(parts, stop) {
  const missing = () => parts.filter((part) => !part.present());
  const first = missing();
  for (const part of first) part.demand?.();
  if (first.length === 0) return;
  // Another run may have provided some of it by the time the lock is ours.
  await withLock(join(cache, 'setup.lock'), stop.signal, () => together(missing(), stop));
}

/**
 * Runs the parts side by side. The first to fail stops the others, and all have ended when this throws.
 * @param {Part[]} parts @param {AbortController} stop
 */
async function together(parts, stop) {
  await Promise.all(
    parts.map(async (part) => {
      try {
        await part.provide(stop.signal);
      } catch (error) {
        stop.abort(error);
      }
    }),
  );
  stop.signal.throwIfAborted();
}
