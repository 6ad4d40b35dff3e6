import type { Entry } from '../attestation/index.ts';
import type { SpiffeId } from '../spiffe/index.ts';
import { tokenRoleName } from './names.ts';

/** What the broker asks of Vault for one verified workload. */
export type GrantRequest = {
  readonly path: string;
  readonly body: Readonly<Record<string, string>>;
  /** `X-Vault-Wrap-TTL`; Vault's ACL refuses the broker an unwrapped token. */
  readonly wrapTtl: string;
};

const WRAP_SECONDS = 60;

/** A single-use token of the entry's role for exactly this ID, wrapped, so that the broker never sees it. */
export function grantRequest(entry: Entry, id: SpiffeId): GrantRequest {
  return {
    path: `auth/token/create/${tokenRoleName(entry)}`,
    body: { entity_alias: aliasOf(id), num_uses: '1' },
    wrapTtl: `${WRAP_SECONDS}s`,
  };
}

/** The entity alias of an ID: its path without the first slash. One entity to an ID, for Vault's client count and its kill switch. */
export function aliasOf(id: SpiffeId): string {
  return id.path.slice(1);
}
