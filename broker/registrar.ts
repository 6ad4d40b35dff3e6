import {
  isVaultError,
  readDocument,
  removeDocument,
  type VaultCaller,
  writeDocument,
} from '../lib/adapter/documents.ts';
import { raiseRevision } from '../lib/adapter/revision.ts';
import { VaultError } from '../lib/adapter/vault.ts';
import { type Entry, entryRef, overlapping, parseEntry } from '../lib/attestation/index.ts';
import { type Defect, InputError } from '../lib/errors.ts';
import { entryPath, tokenRole, tokenRoleName } from '../lib/grant/index.ts';
import type { Appearances } from './appearances.ts';
import type { Place } from './places.ts';
import { Problem } from './problem.ts';

/**
 * Writes registrations, always with the caller's own token: Vault's ACL decides, and Vault's audit names the caller. An entry is two
 * things, its document and its token role, written in an order in which a crash at any point leaves an entry that gives nobody an
 * identity, and that running the same call again completes.
 *
 * - create: document `pending`, role, document `active`, revision
 * - disable: role gone (from here on Vault itself refuses), document `disabled`, revision
 * - enable: role, document `active`, revision
 * - update: role, document, revision. In between Vault gives only what both allow
 * - remove: role gone, document gone, revision
 *
 * Then the role once more, as the document then says: of two that write at once one has its way, and the role is in the end that one's.
 */
export interface Registrar {
  /** `created` is false when the same entry was there already, whole. @throws Problem, VaultError */
  create(caller: VaultCaller, entry: Entry): Promise<{ readonly entry: Entry; readonly created: boolean }>;
  show(caller: VaultCaller, named: Place): Promise<Entry>;
  disable(caller: VaultCaller, named: Place): Promise<Entry>;
  enable(caller: VaultCaller, named: Place): Promise<Entry>;
  /** Changes an entry that is there to `entry`, but for its state, which stays. */
  update(caller: VaultCaller, entry: Entry): Promise<Updated>;
  remove(caller: VaultCaller, named: Place): Promise<void>;
}

export type Updated = {
  readonly before: Entry;
  readonly entry: Entry;
  /** Empty where all of it was so already. */
  readonly changed: readonly string[];
};

export type RegistrarDeps = {
  readonly trustDomain: string;
  /** All entries, as the broker itself can read them: a caller cannot see the other tenants that an entry may collide with. */
  readonly survey: () => Promise<Entry[]>;
  readonly entryDefects: (entry: Entry) => readonly Defect[];
  readonly appearances: Pick<Appearances, 'forget'>;
};

const TRIES = 8;

type StoredEntry = { readonly entry: Entry; readonly version: number };

export function createRegistrar(deps: RegistrarDeps): Registrar {
  const { trustDomain, survey, entryDefects, appearances } = deps;
  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: those of this broker need not race each other for the one counter. */
  const raise = (caller: VaultCaller, named: Place) => {
    const raised = last.then(() => raiseRevision(caller, entryPath(named)));
    last = raised.catch(() => undefined);
    return raised;
  };
  const find = async (caller: VaultCaller, named: Place): Promise<StoredEntry | undefined> => {
    const path = entryPath(named);
    const document = await readDocument(caller, path);
    if (document === undefined) return undefined;
    try {
      const entry = parseEntry(document.value, { trustDomain });
      if (entryRef(entry) === entryRef(named)) return { entry, version: document.version };
    } catch (cause) {
      if (!(cause instanceof InputError)) throw cause;
    }
    throw new Problem('entry_state', {
      detail: 'its document in Vault cannot be read as an entry: delete it',
    });
  };
  const demand = async (caller: VaultCaller, named: Place): Promise<StoredEntry> => {
    const found = await find(caller, named);
    if (found === undefined) throw new Problem('entry_not_found');
    return found;
  };
  const finish = async (caller: VaultCaller, { entry, version }: StoredEntry, state: Entry['state']) => {
    const done: Entry = { ...entry, state };
    if (entry.state !== state) await writeDocument(caller, entryPath(entry), done, version);
    await raise(caller, entry);
    return done;
  };
  const refuseOverlap = async (entry: Entry) => {
    const all = await survey().catch((cause: unknown) => {
      throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
    });
    const [other] = overlapping(entry, all);
    if (other === undefined) return;
    const known = other.tenant === entry.tenant || other.tenant.startsWith(`${entry.tenant}/`);
    throw new Problem('entry_overlaps', {
      detail: known ? `it meets ${entryRef(other)}` : 'it meets an entry of another tenant',
    });
  };

  /** The entry as `pending`, made now or left behind by a call that was cut off; or whole already. */
  const claim = async (
    caller: VaultCaller,
    entry: Entry,
  ): Promise<StoredEntry & { readonly fresh: boolean }> => {
    const pending: Entry = { ...entry, state: 'pending' };
    try {
      const version = await writeDocument(caller, entryPath(entry), pending, 0);
      return { entry: pending, version, fresh: true };
    } catch (error) {
      if (!isVaultError(error, 'VAULT_CAS_CONFLICT')) throw error;
    }
    const there = await demand(caller, entry);
    if (!sameEntry(there.entry, entry))
      throw new Problem('entry_exists', { detail: differences(there.entry, entry) });
    if (there.entry.state === 'disabled') {
      throw new Problem('entry_exists', { detail: 'it is the same and disabled: enable it' });
    }
    return { ...there, fresh: there.entry.state === 'pending' };
  };

  const expectFit = (entry: Entry) => {
    const defects = entryDefects(entry);
    if (defects.length > 0) throw new InputError('entry', defects);
  };

  /** Makes the role what the document says, however many write either at once: whoever wrote a role looks at the document after it. */
  const settleRole = async (caller: VaultCaller, named: Place): Promise<void> => {
    let stored = await find(caller, named);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (stored?.entry.state === 'active') await writeRole(caller, stored.entry);
      else if (stored?.entry.state !== 'pending') await removeRole(caller, named);
      const now = await find(caller, named);
      if (now?.version === stored?.version) return;
      stored = now;
    }
    throw new Problem('concurrent_write');
  };

  /** Puts `next` in the place of what was read, document and role. */
  const replace = async (caller: VaultCaller, stored: StoredEntry, next: Entry): Promise<StoredEntry> => {
    // The role first: Vault judges the new ID by the caller's own right, and until the document follows gives only what both allow.
    if (next.state === 'active') await writeRole(caller, next);
    try {
      const version = await writeDocument(caller, entryPath(next), next, stored.version);
      await raise(caller, next);
      return { entry: next, version };
    } finally {
      await settleRole(caller, next);
    }
  };

  return {
    async create(caller, entry) {
      expectFit(entry);
      await refuseOverlap(entry);
      const claimed = await claim(caller, entry);
      try {
        // Again, now that others can see it: of two that overlap and are made at once, at least one sees the other.
        if (claimed.fresh) await refuseOverlap(entry);
        if (claimed.fresh && entry.appear_by !== undefined) await appearances.forget(entry);
        await writeRole(caller, entry);
      } catch (error) {
        if (claimed.fresh && isRefusal(error)) await removeDocument(caller, entryPath(entry));
        throw error;
      }
      try {
        return { entry: await finish(caller, claimed, 'active'), created: claimed.fresh };
      } catch (error) {
        await settleRole(caller, entry);
        throw error;
      }
    },
    show: async (caller, named) => (await demand(caller, named)).entry,
    async disable(caller, named) {
      const stored = await demand(caller, named);
      await removeRole(caller, named);
      try {
        return await finish(caller, stored, 'disabled');
      } finally {
        await settleRole(caller, named);
      }
    },
    async enable(caller, named) {
      const stored = await demand(caller, named);
      if (stored.entry.state === 'pending') {
        throw new Problem('entry_state', { detail: 'it was never completed: create it again' });
      }
      await writeRole(caller, stored.entry);
      try {
        return await finish(caller, stored, 'active');
      } finally {
        await settleRole(caller, named);
      }
    },
    async update(caller, wanted) {
      expectFit(wanted);
      const stored = await demand(caller, wanted);
      const before = stored.entry;
      if (before.state === 'pending') {
        throw new Problem('entry_state', { detail: 'it was never completed: create it again, or delete it' });
      }
      const entry: Entry = { ...wanted, state: before.state };
      const changed = changedFields(before, entry);
      if (changed.length > 0) await refuseOverlap(entry);
      const replaced = await replace(caller, stored, entry);
      try {
        // Again, now that others can see it.
        if (changed.length > 0) await refuseOverlap(entry);
      } catch (error) {
        if (isRefusal(error)) await replace(caller, replaced, before);
        throw error;
      }
      return { before, entry, changed };
    },
    async remove(caller, named) {
      const there = await readDocument(caller, entryPath(named));
      await removeRole(caller, named);
      await removeDocument(caller, entryPath(named));
      await settleRole(caller, named);
      await raise(caller, named);
      if (there === undefined) throw new Problem('entry_not_found');
    },
  };
}

async function writeRole(caller: VaultCaller, entry: Entry): Promise<void> {
  // Vault keeps of a role what is not sent: networks that are no longer wanted are sent as none.
  const role = { token_bound_cidrs: '', ...tokenRole(entry) };
  await caller.call('POST', `auth/token/roles/${tokenRoleName(entry)}`, role);
}

async function removeRole(caller: VaultCaller, named: Place): Promise<void> {
  await caller.call('DELETE', `auth/token/roles/${tokenRoleName(named)}`);
}

/** A decision, ours or Vault's, that the same call would meet again. What merely failed may be run again, and is left for that. */
function isRefusal(error: unknown): boolean {
  if (error instanceof VaultError) return error.code === 'VAULT_DENIED' || error.code === 'VAULT_BAD_REQUEST';
  return error instanceof Problem && error.status < 500;
}

function sameEntry(a: Entry, b: Entry): boolean {
  return changedFields(a, b).length === 0;
}

function differences(there: Entry, wanted: Entry): string {
  return `it differs in ${changedFields(there, wanted).join(', ')}`;
}

function changedFields(a: Entry, b: Entry): string[] {
  const fields = ['match', 'spiffe_id', 'ttl', 'networks', 'federates_with', 'appear_by'] as const;
  return fields.filter((field) => plain(a[field]) !== plain(b[field]));
}

/** A text that is the same for the same content, whatever the order of keys. */
function plain(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
