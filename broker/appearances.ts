import { createHash } from 'node:crypto';
import { type Entry, entryRef } from '../lib/attestation/index.ts';
import type { Instances } from './instances.ts';
import { Problem } from './problem.ts';

/** Who has shown up of those that were expected by a certain time. */
export interface Appearances {
  /**
   * Notes that the entry's workload has proved itself, or refuses it when it did so too late for the first time. Of several brokers the first to
   * write it counts; the others find it there.
   * @throws Problem `entry_overdue`; VaultError, DocumentError
   */
  note(entry: Entry, attestation: { readonly correlationId: string; readonly now: Date }): Promise<void>;
}

/** How many are remembered, so that each renewal does not ask Vault again. */
const MOST = 20_000;

export function createAppearances(instances: Instances): Appearances {
  const seen = new Set<string>();
  return {
    async note(entry, { correlationId, now }) {
      const { appear_by: limit } = entry;
      if (limit === undefined) return;
      const id = idOf(entry, limit);
      if (seen.has(id)) return;
      const mark = { id, entry: entryRef(entry), spiffe_id: entry.spiffe_id, method: 'appeared' };
      const found = await instances.find(id);
      if (found === undefined) {
        if (now.getTime() > Date.parse(limit))
          throw new Problem('entry_overdue', { cause: new Error(`nobody had shown up by ${limit}`) });
        await instances.begin({
          ...mark,
          generation: 1,
          next_key: '',
          locked: false,
          correlation_id: correlationId,
        });
      }
      if (seen.size >= MOST) seen.clear();
      seen.add(id);
    },
  };
}

/** An entry that is made anew, or for another time or workload, expects anew. */
function idOf({ match, spiffe_id, ...named }: Entry, limit: string): string {
  const selectors = JSON.stringify(Object.entries(match).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = ['signet-appeared-v1', entryRef(named), limit, spiffe_id, selectors].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
