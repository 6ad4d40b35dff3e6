import type { VaultCaller } from '../../lib/adapter/documents.ts';
import { SignetError } from '../../lib/errors.ts';
import { MOUNTS } from '../../lib/grant/index.ts';

class CountersigningKeysError extends SignetError<'COUNTERSIGNING_KEYS_UNREADABLE'> {
  override readonly name = 'CountersigningKeysError';
}

const FRESH_MS = 30_000;

/** The public halves of all versions of the countersigning key, PEM by version, as Vault has them now or had them half a minute ago. */
export function createCountersigningKeys(
  vault: VaultCaller,
  monotonic: () => number,
): () => Promise<Readonly<Record<string, string>>> {
  let held: { readonly at: number; readonly keys: Promise<Readonly<Record<string, string>>> } | undefined;
  return () => {
    if (held !== undefined && monotonic() - held.at < FRESH_MS) return held.keys;
    const fresh = { at: monotonic(), keys: read(vault) };
    held = fresh;
    fresh.keys.catch(() => {
      if (held === fresh) held = undefined;
    });
    return fresh.keys;
  };
}

async function read(vault: VaultCaller): Promise<Readonly<Record<string, string>>> {
  const { data } = await vault.call<{ keys?: unknown }>('GET', `${MOUNTS.transit}/keys/audit`);
  const versions = Object.entries((data?.keys ?? {}) as Record<string, { public_key?: unknown }>);
  const keys = versions.map(([version, { public_key }]) => [version, public_key] as const);
  if (keys.length === 0 || !keys.every(([, pem]) => typeof pem === 'string'))
    throw new CountersigningKeysError('COUNTERSIGNING_KEYS_UNREADABLE', 'transit shows no public key');
  return Object.fromEntries(keys) as Readonly<Record<string, string>>;
}
