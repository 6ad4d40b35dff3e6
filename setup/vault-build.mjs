import { SetupError } from './commands.mjs';
import { buildGo, findGo, NO_GO } from './go-build.mjs';
import { builtVault, vault, vaultVersion } from './vault.mjs';

/** The Go to build with. @throws {SetupError} when there is none that can read tools/vault/go.mod */
export function requireGo() {
  const { go, missing } = findGo();
  if (go) return go;
  const lacking = missing === NO_GO ? 'neither Vault (1.19 or newer) nor Go is on PATH' : missing;
  throw new SetupError(`${lacking}: install Go 1.25 or newer, from which set-up builds Vault`);
}

/**
 * Builds the pinned Vault. Call with the set-up lock held.
 * @param {string} go @param {AbortSignal} signal
 */
export async function buildVault(go, signal) {
  const { version } = builtVault();
  await buildGo(vault, go, {
    expected: '5 to 10 minutes on two cores, seconds with a warm Go cache',
    check: (unfinished) => {
      if (vaultVersion(unfinished) !== version)
        throw new SetupError(`what Go built does not answer as Vault ${version}`);
    },
    signal,
  });
}
