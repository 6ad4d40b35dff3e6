import { SignetError } from '../errors.ts';
import { Secret } from '../secret.ts';

export type GrantErrorCode = 'GRANT_MALFORMED' | 'GRANT_EXPIRED' | 'GRANT_STOLEN' | 'GRANT_FOREIGN';

export class GrantError extends SignetError<GrantErrorCode> {
  override readonly name = 'GrantError';
}

/** The right to have Vault sign one SVID, once: a wrapping token around a single-use token. */
export type Grant = {
  readonly wrappingToken: Secret;
  readonly creationPath: string;
  readonly expiresAt: Date;
};

const CREATION_PATH = /^auth\/token\/create\/signet-[a-z0-9.-]+_[a-z0-9-]+$/;
const TOKEN = /^[A-Za-z0-9._-]{1,1024}$/;

/**
 * Reads a grant from the broker's answer.
 * @throws GrantError `GRANT_MALFORMED`, never quoting the token
 */
export function parseGrant(value: unknown): Grant {
  const raw = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const { wrapping_token: token, creation_path: path, expires_at: expires } = raw;
  const expiresAt = new Date(typeof expires === 'string' ? expires : Number.NaN);
  if (typeof token !== 'string' || !TOKEN.test(token)) throw malformed('wrapping_token');
  if (typeof path !== 'string' || !CREATION_PATH.test(path)) throw malformed('creation_path');
  if (Number.isNaN(expiresAt.getTime())) throw malformed('expires_at');
  return { wrappingToken: new Secret(token), creationPath: path, expiresAt };
}

/**
 * What a sidecar must see in `sys/wrapping/lookup` before it unwraps: the token was wrapped by the call the broker names, and so is
 * neither a stranger's token nor one that somebody unwrapped and wrapped again. (The look-up is free: it does not spend the token.)
 * @throws GrantError `GRANT_FOREIGN`
 */
export function checkWrapping(lookup: { readonly creation_path: unknown }, grant: Grant): void {
  if (lookup.creation_path !== grant.creationPath) {
    throw new GrantError('GRANT_FOREIGN', `the grant was not made by ${grant.creationPath}`);
  }
}

function malformed(field: string): GrantError {
  return new GrantError('GRANT_MALFORMED', `the broker's grant has a bad ${field}`);
}
