import { isExecutable, outputOf, SetupError, which } from './commands.mjs';
import { builtGo } from './go-build.mjs';

/** @typedef {{ path: string, version: string, origin: 'SIGNET_VAULT_BIN' | 'PATH' | 'built here' }} FoundVault */

/** @type {import('./go-build.mjs').GoProgram} */
export const vault = {
  name: 'Vault',
  folder: 'tools/vault',
  package: 'github.com/hashicorp/vault',
  tags: 'minimal',
};

/** Major and minor. @type {[number, number]} */
const oldest = [1, 19];

/**
 * The Vault to run, never building one: `SIGNET_VAULT_BIN`, else `vault` on PATH at 1.19 or newer, else the one built here.
 * @throws {SetupError} when `SIGNET_VAULT_BIN` names something that is no such Vault
 * @returns {FoundVault | undefined}
 */
export function findVault() {
  const named = process.env['SIGNET_VAULT_BIN'];
  if (named) return namedVault(named);
  const onPath = which('vault');
  const version = onPath && vaultVersion(onPath);
  if (onPath && version && isSupported(version)) return { path: onPath, version, origin: 'PATH' };
  const built = builtVault();
  return isExecutable(built.path) ? { ...built, origin: 'built here' } : undefined;
}

/**
 * The path of the Vault that tests and the demo start.
 * @throws {SetupError} when set-up has not run yet
 */
export function vaultBinary() {
  const found = findVault();
  if (!found) throw new SetupError('there is no Vault here yet: run `npm run setup` first');
  return found.path;
}

/** Where a Vault built from tools/vault goes. */
export function builtVault() {
  return builtGo(vault);
}

/** The version a binary states, or undefined when it is no Vault. @param {string} path */
export function vaultVersion(path) {
  return /^Vault v(\d+\.\d+\.\d+)/.exec(outputOf(path, ['version']) ?? '')?.[1];
}

/** @param {string} path @returns {FoundVault} */
function namedVault(path) {
  const wrong = (/** @type {string} */ why) => new SetupError(`SIGNET_VAULT_BIN is ${path}, ${why}`);
  if (!isExecutable(path)) throw wrong('which is not an executable file');
  const version = vaultVersion(path);
  if (!version) throw wrong('which does not answer as Vault');
  if (!isSupported(version))
    throw wrong(`which is Vault ${version}; Signet needs ${oldest.join('.')} or newer`);
  return { path, version, origin: 'SIGNET_VAULT_BIN' };
}

/** @param {string} version */
function isSupported(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}
