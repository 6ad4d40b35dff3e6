import type { Secret } from '../secret.ts';
import type { VaultCaller } from './documents.ts';
import type { Vault } from './vault.ts';

/** Vault with one caller's own token: what they may do is what Vault lets them do. */
export function callerOf(vault: Vault, token: Secret): VaultCaller {
  return {
    call: (method, path, body, options = {}) => vault.request(method, path, body, { ...options, token }),
  };
}
