import type { VaultReply } from '../lib/adapter/vault.ts';
import { VaultError } from '../lib/adapter/vault.ts';
import type { Entry } from '../lib/attestation/index.ts';
import { type Grant, grantRequest } from '../lib/grant/index.ts';
import type { SpiffeId } from '../lib/spiffe/index.ts';
import { Problem } from './problem.ts';
import type { Session } from './session.ts';

/** A grant and what is needed to take it back without ever having held it. */
export type Issued = { readonly grant: Grant; readonly accessor: string };

/**
 * Asks Vault for the single-use token of this entry for this ID, wrapped. Vault judges again: a role that is gone, an alias that the role
 * does not hold, a disabled entity, and it is `identity_denied`.
 * @throws Problem `identity_denied`; VaultError for all else
 */
export async function issueGrant(session: Session, entry: Entry, id: SpiffeId): Promise<Issued> {
  const { path, body, wrapTtl } = grantRequest(entry, id);
  let reply: VaultReply<unknown>;
  try {
    reply = await session.call('POST', path, body, { wrapTtl });
  } catch (error) {
    if (error instanceof VaultError && REFUSALS.has(error.code) && !error.tokenInvalid) {
      throw new Problem('identity_denied', { cause: error });
    }
    throw error;
  }
  const wrap = reply.wrapInfo;
  if (wrap === undefined || wrap.creationPath !== path || wrap.wrappedAccessor === undefined) {
    throw new VaultError('VAULT_UNAVAILABLE', `POST ${path}: vault gave no wrapped token`);
  }
  return {
    grant: {
      wrappingToken: wrap.token,
      creationPath: wrap.creationPath,
      expiresAt: new Date(wrap.createdAt.getTime() + wrap.ttlSeconds * 1000),
    },
    accessor: wrap.wrappedAccessor,
  };
}

const REFUSALS: ReadonlySet<VaultError['code']> = new Set([
  'VAULT_DENIED',
  'VAULT_BAD_REQUEST',
  'VAULT_NOT_FOUND',
]);
