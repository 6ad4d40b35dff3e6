import { existsSync, readFileSync } from 'node:fs';
import { createVault, type Vault } from '../lib/adapter/vault.ts';
import { type Defect, InputError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';

export { VAULT_ENVIRONMENT } from './environment.ts';

export type VaultSession = Disposable & { readonly vault: Vault; readonly token: Secret };

/**
 * A client for the Vault that the environment names.
 * @throws InputError naming every variable that is missing or cannot be used, never the token's value
 */
export function openVault(env: NodeJS.ProcessEnv): VaultSession {
  const { VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_CACERT: caFile, VAULT_NAMESPACE: namespace } = env;
  const defects: Defect[] = [];
  const flaw = (pointer: string, message: string) => void defects.push({ pointer, message });
  if (!address) flaw('VAULT_ADDR', 'is missing');
  if (!token) flaw('VAULT_TOKEN', 'is missing');
  else if (!/^[\x21-\x7e]+$/.test(token)) flaw('VAULT_TOKEN', 'is not a token');
  if (caFile && !existsSync(caFile)) flaw('VAULT_CACERT', `is ${JSON.stringify(caFile)}, which is no file`);
  if (address) {
    try {
      createVault({ address })[Symbol.dispose]();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      for (const { message } of error.defects) flaw('VAULT_ADDR', message);
    }
  }
  if (!address || !token || defects.length > 0) throw new InputError('environment', defects);
  const vault = createVault({
    address,
    ...(caFile ? { caCert: readFileSync(caFile, 'utf8') } : {}),
    ...(namespace ? { namespace } : {}),
  });
  return { vault, token: new Secret(token), [Symbol.dispose]: () => vault[Symbol.dispose]() };
}
