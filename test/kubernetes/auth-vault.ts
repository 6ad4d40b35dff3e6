import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { startVault, type TestVault, type VaultOptions } from '../support/vault.ts';
import { authPlugin } from './programs.ts';

/** A Vault that knows the auth method `kubernetes`, which the one built here takes from a plugin. */
export async function startAuthVault(options: VaultOptions = {}): Promise<TestVault> {
  const program = authPlugin();
  const vault = await startVault({ ...options, pluginFolder: dirname(program) });
  const registered = await vault.request('PUT', 'sys/plugins/catalog/auth/kubernetes', {
    sha256: createHash('sha256')
      .update(await readFile(program))
      .digest('hex'),
    command: basename(program),
  });
  if (registered.status >= 300) {
    await vault.stop();
    throw new Error(`Vault refused the plugin: ${registered.status} ${JSON.stringify(registered.body)}`);
  }
  return vault;
}
