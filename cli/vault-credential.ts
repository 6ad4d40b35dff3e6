import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { SignetError } from '../lib/errors.ts';
import { MOUNTS } from '../lib/grant/index.ts';
import type { VaultSession } from './vault-config.ts';

const ROLE = `auth/${MOUNTS.approle}/role/broker`;

/**
 * A new secret_id in a new file that only its owner reads. The file is made first: a secret_id that could not be kept would be one
 * that nobody knows of. Gives back what to print.
 * @throws SignetError `FILE_UNUSABLE`, VaultError
 */
export async function credentialInFile({ vault, token }: VaultSession, file: string): Promise<string[]> {
  const descriptor = create(file);
  try {
    const roleId = await roleIdOf({ vault, token });
    const { data } = await vault.request<{ secret_id: string }>('POST', `${ROLE}/secret-id`, {}, { token });
    writeSync(descriptor, `${data.secret_id}\n`);
    return [`role_id ${roleId}`, `secret_id in ${file}`];
  } catch (error) {
    unlinkSync(file);
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** A new secret_id, wrapped: the token gives it out once, within `ttl`. Gives back what to print. @throws VaultError */
export async function wrappedCredential({ vault, token }: VaultSession, ttl: string): Promise<string[]> {
  const roleId = await roleIdOf({ vault, token });
  const { wrapInfo } = await vault.request('POST', `${ROLE}/secret-id`, {}, { token, wrapTtl: ttl });
  return [`role_id ${roleId}`, `secret_id, wrapped ${wrapInfo?.token.reveal() ?? ''}`];
}

async function roleIdOf({ vault, token }: Pick<VaultSession, 'vault' | 'token'>): Promise<string> {
  const { data } = await vault.request<{ role_id: string }>('GET', `${ROLE}/role-id`, undefined, { token });
  return data.role_id;
}

function create(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new SignetError(
      'FILE_UNUSABLE',
      code === 'EEXIST' ? `${file} is there already` : `${file} cannot be written (${code})`,
      { cause },
    );
  }
}
