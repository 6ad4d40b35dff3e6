import { createHash } from 'node:crypto';
import {
  DocumentError,
  isVaultError,
  readDocument,
  type VaultCaller,
  writeDocument,
} from '../lib/adapter/documents.ts';
import { type Entry, entryRef } from '../lib/attestation/index.ts';
import { Problem } from './problem.ts';

/**
 * Who has shown up of those that had to by a time (`appear_by`), in Vault, so that every broker knows it. It is of an entry's `match` and
 * `spiffe_id`: an entry that is changed in either waits for another machine.
 */
export interface Appearances {
  /**
   * Undefined where nothing is left to write down. Else what writes that this entry's machine has appeared: to be called once the evidence is
   * settled and before a grant is asked for.
   * @throws Problem `entry_overdue`; VaultError, DocumentError
   */
  judge(entry: Entry, attestation: Appearing): Promise<(() => Promise<void>) | undefined>;
  /** When it first appeared; null where it has not. @throws VaultError, DocumentError */
  find(entry: Entry): Promise<Date | null>;
  /** For an entry made anew under a name that was in use before. */
  forget(entry: Entry): Promise<void>;
}

export type Appearing = {
  readonly now: Date;
  readonly correlationId: string;
  /** It holds an SVID by this entry, and so has appeared before. */
  readonly renews: boolean;
};

const TRIES = 8;

export function createAppearances(vault: VaultCaller): Appearances {
  /** Entries as they were read: one that is read again, because it was written, is looked up again. */
  const known = new WeakSet<Entry>();

  const read = async (entry: Entry) => {
    const path = pathOf(entry);
    const document = await readDocument(vault, path);
    if (document === undefined) return { at: null, version: 0 };
    const { of, at } = (document.value ?? {}) as { of?: unknown; at?: unknown };
    if (typeof of !== 'string' || typeof at !== 'string') throw new DocumentError(path);
    if (of !== markOf(entry)) return { at: null, version: document.version };
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) throw new DocumentError(path);
    return { at: date, version: document.version };
  };
  /** `due`: the version to write over; undefined where nothing is left to write. */
  const write = async (entry: Entry, fields: object, due: () => Promise<number | undefined>) => {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const version = await due();
      if (version === undefined) return;
      try {
        await writeDocument(vault, pathOf(entry), { entry: entryRef(entry), ...fields }, version);
        return;
      } catch (error) {
        if (!isVaultError(error, 'VAULT_CAS_CONFLICT')) throw error;
      }
    }
    throw new DocumentError(pathOf(entry));
  };

  return {
    async judge(entry, { now, correlationId, renews }) {
      if (entry.appear_by === undefined || known.has(entry)) return undefined;
      if ((await read(entry)).at !== null) {
        known.add(entry);
        return undefined;
      }
      if (!renews && now >= new Date(entry.appear_by)) {
        throw new Problem('entry_overdue', {
          cause: new Error(`it had to appear by ${entry.appear_by} and had not`),
        });
      }
      const fields = { of: markOf(entry), at: now.toISOString(), correlation_id: correlationId };
      return async () => {
        await write(entry, fields, async () => {
          const { at, version } = await read(entry);
          return at === null ? version : undefined;
        });
        known.add(entry);
      };
    },
    find: async (entry) => (await read(entry)).at,
    forget: (entry) =>
      // whatever is there, and be it unreadable
      write(entry, { of: '', at: '' }, async () => (await readDocument(vault, pathOf(entry)))?.version),
  };
}

/** Beside the instances, whose names are hexadecimal. */
function pathOf(entry: Entry): string {
  return `instances/appeared/${entryRef(entry)}`;
}

function markOf({ match, spiffe_id }: Entry): string {
  const asked = Object.entries(match).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify(['signet-appeared-v1', asked, spiffe_id]))
    .digest('hex');
}
