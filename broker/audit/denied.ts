import type { Denylist } from '../../lib/adapter/publishing/denylist.ts';
import type { Registrations } from '../registrations.ts';

const FRESH_MS = 1_000;

/**
 * The deny-list as it was a second ago at most; while Vault is away, as it was last seen: records are not lost because nobody can say
 * whether their sender was denied meanwhile.
 */
export function createDenied(registrations: Registrations, monotonic: () => number): () => Promise<Denylist> {
  let held: { readonly at: number; readonly list: Denylist } | undefined;
  let asking: Promise<Denylist> | undefined;
  const ask = async () => {
    try {
      held = { at: monotonic(), list: (await registrations.current()).denylist };
    } catch (error) {
      if (held === undefined) throw error;
      held = { ...held, at: monotonic() };
    } finally {
      asking = undefined;
    }
    return held.list;
  };
  return async () => {
    if (held !== undefined && monotonic() - held.at < FRESH_MS) return held.list;
    asking ??= ask();
    return await asking;
  };
}
