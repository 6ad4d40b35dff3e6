import { SignetError } from '../errors.ts';

/**
 * Vault as this room needs it: one call with the caller's token already on it (`withToken` of the Vault adapter).
 * Failures are `SignetError`s with the adapter's codes.
 */
export interface VaultPort {
  request(
    method: 'GET' | 'LIST' | 'POST' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<{ readonly data: unknown }>;
}

/** What stands at a path: undefined when nothing does. Every other failure is thrown. */
export async function readAt(
  vault: VaultPort,
  path: string,
  method: 'GET' | 'LIST' = 'GET',
): Promise<unknown> {
  try {
    return (await vault.request(method, path)).data;
  } catch (error) {
    if (error instanceof SignetError && error.code === 'VAULT_NOT_FOUND') return undefined;
    throw error;
  }
}
