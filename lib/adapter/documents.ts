import { SignetError } from '../errors.ts';
import { MOUNTS } from '../grant/index.ts';
import { VaultError } from './vault.ts';

/** Who speaks to Vault: the broker's own session, or one caller's token. */
export interface VaultCaller {
  call<T = unknown>(
    method: 'GET' | 'LIST' | 'POST' | 'DELETE',
    path: string,
    body?: object,
    options?: { readonly wrapTtl?: string },
  ): Promise<{ readonly data: T }>;
}

/** A document of the KV store and the version that a check-and-set write must name. */
export type Document = { readonly value: unknown; readonly version: number };

/** A document that must be understood and is not: refuse, never guess. */
export class DocumentError extends SignetError<'DOCUMENT_UNREADABLE'> {
  override readonly name = 'DocumentError';
  constructor(path: string, options?: ErrorOptions) {
    super('DOCUMENT_UNREADABLE', `${MOUNTS.kv}/${path} is not what it should be`, options);
  }
}

/** The document at `path` below the KV mount; undefined where there is none. */
export async function readDocument(vault: VaultCaller, path: string): Promise<Document | undefined> {
  const reply = await orNothing(vault.call<KvReply>('GET', `${MOUNTS.kv}/data/${path}`));
  if (reply === undefined) return undefined;
  const version = reply.data?.metadata?.version;
  if (!Number.isSafeInteger(version)) throw new DocumentError(path);
  return { value: reply.data?.data, version: version as number };
}

/**
 * Writes the document if its version is still `cas` (0: if there is none).
 * @throws VaultError `VAULT_CAS_CONFLICT`
 */
export async function writeDocument(
  vault: VaultCaller,
  path: string,
  value: object,
  cas: number,
): Promise<number> {
  const reply = await vault.call<{ version?: unknown }>('POST', `${MOUNTS.kv}/data/${path}`, {
    data: value,
    options: { cas },
  });
  if (!Number.isSafeInteger(reply.data?.version)) throw new DocumentError(path);
  return reply.data.version as number;
}

/** Deletes every version. Nothing there is as good. */
export async function removeDocument(vault: VaultCaller, path: string): Promise<void> {
  await orNothing(vault.call('DELETE', `${MOUNTS.kv}/metadata/${path}`));
}

/** The names below a folder (`entries/acme.shop/`), folders with a slash at their end. */
export async function listDocuments(vault: VaultCaller, folder: string): Promise<string[]> {
  const reply = await orNothing(vault.call<{ keys?: unknown }>('LIST', `${MOUNTS.kv}/metadata/${folder}`));
  const keys = reply?.data?.keys ?? [];
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) throw new DocumentError(folder);
  return keys;
}

const AT_ONCE = 16;

/** Maps with a bounded number of calls under way at once. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}

export function isVaultError(error: unknown, code: VaultError['code']): boolean {
  return error instanceof VaultError && error.code === code;
}

type KvReply = { readonly data?: unknown; readonly metadata?: { readonly version?: unknown } };

async function orNothing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isVaultError(error, 'VAULT_NOT_FOUND')) return undefined;
    throw error;
  }
}
