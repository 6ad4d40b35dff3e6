import { readFile, stat } from 'node:fs/promises';
import { isObject, type KeySetError, readKeySet, type VerificationKey } from '../lib/token/index.ts';

/** What stands for a cluster that cannot be asked: its issuer and the keys it signs tokens with. */
export type OfflineKeys = { readonly issuer: string; readonly keys: readonly VerificationKey[] };

/** Why a file is not one. The message reads on from the cluster's name. */
export class OfflineKeysError extends Error {}

/** Reads the file again when it is another than before. @throws OfflineKeysError */
export function keepOfflineKeys(file: string): () => Promise<OfflineKeys> {
  let kept: { readonly mark: string; readonly keys: OfflineKeys } | undefined;
  return async () => {
    let text: string;
    let mark: string;
    try {
      const { ino, mtimeMs, size } = await stat(file);
      mark = `${ino} ${mtimeMs} ${size}`;
      if (kept?.mark === mark) return kept.keys;
      text = await readFile(file, 'utf8');
    } catch (error) {
      throw new OfflineKeysError(`the file cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    }
    kept = { mark, keys: parseOfflineKeys(text) };
    return kept.keys;
  };
}

const MAX_CHARACTERS = 256 * 1024;

/** The JWKS of `/openid/v1/jwks` with `issuer` beside its `keys`. @throws OfflineKeysError */
function parseOfflineKeys(text: string): OfflineKeys {
  if (text.length > MAX_CHARACTERS)
    throw new OfflineKeysError(`the file is over ${MAX_CHARACTERS} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new OfflineKeysError('the file is not JSON');
  }
  const issuer = isObject(value) ? value['issuer'] : undefined;
  if (typeof issuer !== 'string' || issuer === '') throw new OfflineKeysError('the file names no issuer');
  try {
    const { keys } = readKeySet(value, 'public');
    if (keys.length === 0) throw new OfflineKeysError('the file holds no public key for signatures');
    return { issuer, keys };
  } catch (error) {
    if (error instanceof OfflineKeysError) throw error;
    throw new OfflineKeysError(`the file has no keys: ${(error as KeySetError).message}`);
  }
}
