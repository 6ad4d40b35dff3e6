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

/** Told of each path that the token may not read; the read then counts as nothing found. */
export type OnDenied = (path: string) => void;

/**
 * What stands at a path: undefined when nothing does.
 * @throws whatever the port throws, but not found, and not denied when `onDenied` is given
 */
export async function readAt(
  vault: VaultPort,
  path: string,
  onDenied?: OnDenied,
): Promise<Record<string, unknown> | undefined> {
  return read(vault, 'GET', path, onDenied);
}

/** The names in a folder, sorted; none when it is not there. */
export async function listAt(vault: VaultPort, path: string, onDenied?: OnDenied): Promise<string[]> {
  const found = await read(vault, 'LIST', path, onDenied);
  return Array.isArray(found?.['keys']) ? found['keys'].map(String).sort() : [];
}

/** The document of a KV v2 path; undefined when there is none or its last version is deleted. */
export async function documentAt(vault: VaultPort, path: string, onDenied?: OnDenied): Promise<unknown> {
  return (await readAt(vault, path, onDenied))?.['data'] ?? undefined;
}

async function read(
  vault: VaultPort,
  method: 'GET' | 'LIST',
  path: string,
  onDenied: OnDenied | undefined,
): Promise<Record<string, unknown> | undefined> {
  try {
    const { data } = await vault.request(method, path);
    return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : undefined;
  } catch (error) {
    if (!(error instanceof SignetError)) throw error;
    if (error.code === 'VAULT_NOT_FOUND') return undefined;
    if (error.code !== 'VAULT_DENIED' || onDenied === undefined) throw error;
    onDenied(path);
    return undefined;
  }
}
