import { randomBytes } from 'node:crypto';
import { callerOf } from '../lib/adapter/caller.ts';
import { writeDocument } from '../lib/adapter/documents.ts';
import type { Vault } from '../lib/adapter/vault.ts';
import { entryRef, formatJoinCode } from '../lib/attestation/index.ts';
import { MOUNTS, tenantInName } from '../lib/grant/index.ts';
import type { Secret } from '../lib/secret.ts';
import type { Place } from './places.ts';
import { Problem } from './problem.ts';
import type { Registrar } from './registrar.ts';

/**
 * Where a code's document is. The entry's name goes first, in the same segment: whoever may write only documents whose names begin so makes
 * codes for those entries alone. No name has a dot, so none is half of another.
 */
export function joinPath({ entry, id }: { readonly entry: Place; readonly id: string }): string {
  return `joins/${tenantInName(entry.tenant)}/${entry.name}.${id}`;
}

/**
 * Makes a one-time join code for an entry: writes a document and reads it wrapped, both with the caller's token. The creation path in
 * the wrapping token is what proves, later, that a registrar of this tenant made it.
 * @throws Problem, VaultError
 */
export async function makeJoinCode(
  {
    vault,
    registrar,
    token,
  }: { readonly vault: Vault; readonly registrar: Registrar; readonly token: Secret },
  named: Place,
  ttlSeconds: number,
): Promise<{ readonly code: string; readonly expiresAt: Date }> {
  const caller = callerOf(vault, token);
  const entry = await registrar.show(caller, named);
  if (entry.match['join:entry'] !== entryRef(entry)) {
    throw new Problem('entry_state', {
      detail: `it is not for join codes: its match is not {"join:entry":"${entryRef(entry)}"}`,
    });
  }
  if (entry.state !== 'active') throw new Problem('entry_state', { detail: `it is ${entry.state}` });
  const id = randomBytes(16).toString('hex');
  const path = joinPath({ entry, id });
  await writeDocument(caller, path, { entry: entryRef(entry), id }, 0);
  const { wrapInfo } = await vault.request('GET', `${MOUNTS.kv}/data/${path}`, undefined, {
    token,
    wrapTtl: `${ttlSeconds}s`,
  });
  if (wrapInfo === undefined) throw new Problem('vault_unavailable');
  const expiresAt = new Date(wrapInfo.createdAt.getTime() + wrapInfo.ttlSeconds * 1000);
  return {
    code: formatJoinCode({ entry: entryRef(entry), id, expiresAt, wrappingToken: wrapInfo.token }),
    expiresAt,
  };
}
