import { readFile } from 'node:fs/promises';
import { type Vault, type VaultAuth, VaultError } from '../lib/adapter/vault.ts';
import { MOUNTS } from '../lib/grant/index.ts';

/** How the broker proves to Vault who it is. */
export type VaultLogin =
  | { readonly method: 'approle'; readonly roleId: string; readonly secretIdFile: string }
  | {
      readonly method: 'kubernetes';
      /** Where Vault's auth method is enabled: `signet-kubernetes`. */
      readonly mount: string;
      readonly role: string;
      /** A projected service-account token. */
      readonly tokenFile: string;
    };

/**
 * One log-in. The file with the credential is read each time: kubelet replaces a token long before it ends.
 * @throws VaultError, or what reading the file throws
 */
export async function logInToVault(vault: Vault, login: VaultLogin, signal: AbortSignal): Promise<VaultAuth> {
  const { path, body } =
    login.method === 'approle'
      ? {
          path: `auth/${MOUNTS.approle}/login`,
          body: { role_id: login.roleId, secret_id: await textIn(login.secretIdFile) },
        }
      : { path: `auth/${login.mount}/login`, body: { role: login.role, jwt: await textIn(login.tokenFile) } };
  const { auth } = await vault.request('POST', path, body, { signal });
  if (auth === undefined) throw new VaultError('VAULT_UNAVAILABLE', 'a log-in that gave no token');
  return auth;
}

async function textIn(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim();
}

type LoginTexts = {
  readonly SIGNET_VAULT_ROLE_ID: string;
  readonly SIGNET_VAULT_SECRET_ID_FILE: string;
  readonly SIGNET_VAULT_KUBERNETES_TOKEN_FILE: string;
  readonly SIGNET_VAULT_KUBERNETES_ROLE: string;
  readonly SIGNET_VAULT_KUBERNETES_MOUNT: string;
};

/** One way to log in, or, to `flaw`, what keeps the settings from naming exactly one. */
export function parseVaultLogin(text: LoginTexts, flaw: (defect: string) => void): VaultLogin {
  const {
    SIGNET_VAULT_ROLE_ID: roleId,
    SIGNET_VAULT_SECRET_ID_FILE: secretIdFile,
    SIGNET_VAULT_KUBERNETES_TOKEN_FILE: tokenFile,
    SIGNET_VAULT_KUBERNETES_ROLE: role,
    SIGNET_VAULT_KUBERNETES_MOUNT: mount,
  } = text;
  if (tokenFile === '') {
    const instead = 'and so is SIGNET_VAULT_KUBERNETES_TOKEN_FILE, which would do instead';
    if (roleId === '') flaw(`SIGNET_VAULT_ROLE_ID is missing, ${instead}`);
    if (secretIdFile === '') flaw(`SIGNET_VAULT_SECRET_ID_FILE is missing, ${instead}`);
    return { method: 'approle', roleId, secretIdFile };
  }
  const second = 'is a second way to log in beside SIGNET_VAULT_KUBERNETES_TOKEN_FILE: set one of the two';
  if (roleId !== '') flaw(`SIGNET_VAULT_ROLE_ID ${second}`);
  if (secretIdFile !== '') flaw(`SIGNET_VAULT_SECRET_ID_FILE ${second}`);
  if (!isMount(mount)) flaw('SIGNET_VAULT_KUBERNETES_MOUNT is not the path of an auth method');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(role)) {
    flaw('SIGNET_VAULT_KUBERNETES_ROLE is not the name of a role');
  }
  return { method: 'kubernetes', mount, role, tokenFile };
}

function isMount(text: string): boolean {
  return text.length < 256 && /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/.test(text);
}
