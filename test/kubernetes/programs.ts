import { realpathSync } from 'node:fs';
import { helmBinary, vaultAuthBinary } from '../../setup/kubernetes.mjs';

/** Helm, as set-up has built it. @throws where it has not */
export const helm = (): string => built(helmBinary(), 'Helm');

/** Vault's Kubernetes auth, likewise. */
export const authPlugin = (): string => built(vaultAuthBinary(), "Vault's Kubernetes auth");

function built(path: string | undefined, what: string): string {
  if (path === undefined) throw new Error(`${what} is not here yet: run \`npm run setup test\` first`);
  // Vault starts no plugin by a link that leads out of its folder.
  return realpathSync(path);
}
