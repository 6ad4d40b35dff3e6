import { inParallel, readDocument, type VaultCaller } from '../lib/adapter/documents.ts';
import { sleep } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import { type Denylist, readDenylist } from '../lib/adapter/publishing/denylist.ts';
import { changedSince, type Mark, type Revision, readRevision } from '../lib/adapter/revision.ts';
import { type Entry, entryRef, parseEntry } from '../lib/attestation/index.ts';
import { type Defect, InputError, SignetError } from '../lib/errors.ts';
import { entryPath } from '../lib/grant/index.ts';
import { everyPlace, type Place, placeAt } from './places.ts';
import { sharedLook } from './shared-look.ts';

/** Everything registered, as of one revision. Entries by `tenant/name`, pending ones among them. */
export type Snapshot = {
  readonly mark: Mark;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly denylist: Denylist;
};

export interface Registrations {
  /**
   * What is registered at the time of the call. It costs one read of the revision, shared by all who ask while it is due.
   * @throws VaultError, DocumentError: what cannot be read must not be guessed
   */
  current(): Promise<Snapshot>;
  /** Every entry there is, those being written at this moment included: what a new entry is held against. */
  survey(): Promise<Entry[]>;
  /** When all of it was last seen to be current; undefined before the first time. */
  readonly seenAt: Date | undefined;
  /** Looks every few seconds, and reads everything again every `reloadMs` whatever the revision says. Ends when `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
}

export type RegistrationsDeps = {
  readonly vault: VaultCaller;
  readonly trustDomain: string;
  /** What makes an entry unfit for use although it is well-formed. */
  readonly entryDefects: (entry: Entry) => readonly Defect[];
  /** How old what was read may get, although the revision says that nothing changed. */
  readonly reloadMs: number;
  readonly log: Log;
  readonly metrics: Metrics;
};

const LOOK_MS = 3_000;

type Loaded = Snapshot & { readonly loadedAt: number };

export function createRegistrations(deps: RegistrationsDeps): Registrations {
  const { vault, log } = deps;
  const counts = {
    entries: deps.metrics.gauge('signet_broker_entries', 'registration entries by state'),
    unreadable: deps.metrics.gauge(
      'signet_broker_entries_unreadable',
      'entries skipped because they cannot be used',
    ),
    reloads: deps.metrics.counter('signet_broker_reloads_total', 'times that all registrations were read'),
  };
  const unreadable = new Map<string, string>();
  let loaded: Loaded | undefined;
  let seenAt: Date | undefined;

  /** Undefined when there is no such entry, or one that cannot be used: it is skipped, and the others live. */
  const readEntry = async (place: Place): Promise<Entry | undefined> => {
    const ref = entryRef(place);
    const document = await readDocument(vault, entryPath(place));
    if (document === undefined) {
      unreadable.delete(ref);
      return undefined;
    }
    const skip = (reason: unknown) => {
      const text = String(reason);
      if (unreadable.get(ref) !== text) log.error('entry_unreadable', { entry: ref, reason: text });
      unreadable.set(ref, text);
      return undefined;
    };
    try {
      const entry = parseEntry(document.value, { trustDomain: deps.trustDomain });
      if (entryRef(entry) !== ref) return skip('the document names another entry than its path');
      const defects = deps.entryDefects(entry);
      if (defects.length > 0) throw new InputError('entry', defects);
      unreadable.delete(ref);
      return entry;
    } catch (error) {
      if (error instanceof SignetError) return skip(error.message);
      throw error;
    }
  };

  const readEntries = async (places: readonly Place[]) => {
    const entries = await inParallel(places, readEntry);
    return entries.filter((entry) => entry !== undefined);
  };

  const reload = async (mark: Mark): Promise<Loaded> => {
    const [places, denylist] = await Promise.all([everyPlace(vault, 'entries'), readDenylist(vault)]);
    const there = new Set(places.map(entryRef));
    for (const ref of unreadable.keys()) if (!there.has(ref)) unreadable.delete(ref);
    const entries = await readEntries(places);
    counts.reloads.add();
    return {
      mark,
      denylist,
      entries: new Map(entries.map((entry) => [entryRef(entry), entry])),
      loadedAt: performance.now(),
    };
  };

  const update = async (from: Loaded, revision: Revision, changed: ReadonlySet<string>): Promise<Loaded> => {
    const places = [...changed]
      .map((path) => placeAt('entries', path))
      .filter((place) => place !== undefined);
    const [fresh, denylist] = await Promise.all([readEntries(places), readDenylist(vault)]);
    const entries = new Map(from.entries);
    for (const place of places) entries.delete(entryRef(place));
    for (const entry of fresh) entries.set(entryRef(entry), entry);
    return { mark: revision, denylist, entries, loadedAt: from.loadedAt };
  };

  const look = async (): Promise<Snapshot> => {
    const revision = await readRevision(vault);
    const stale = loaded === undefined || performance.now() - loaded.loadedAt > deps.reloadMs;
    if (loaded === undefined || stale || loaded.mark.version !== revision.version) {
      const changed = loaded === undefined || stale ? undefined : changedSince(revision, loaded.mark);
      loaded =
        loaded === undefined || changed === undefined
          ? await reload(revision)
          : await update(loaded, revision, changed);
      count(loaded.entries.values());
    }
    seenAt = new Date();
    return loaded;
  };

  const count = (entries: Iterable<Entry>) => {
    const states = { active: 0, disabled: 0, pending: 0 };
    for (const { state } of entries) states[state]++;
    for (const [state, n] of Object.entries(states)) counts.entries.set(n, { state });
    counts.unreadable.set(unreadable.size);
  };

  const current = sharedLook(look);

  return {
    current,
    get seenAt() {
      return seenAt;
    },
    async survey() {
      const [{ entries }, places] = await Promise.all([current(), everyPlace(vault, 'entries')]);
      const known = (place: Place) => {
        const entry = entries.get(entryRef(place));
        return entry !== undefined && entry.state !== 'pending' ? entry : undefined;
      };
      const fresh = await readEntries(places.filter((place) => known(place) === undefined));
      return [...places.map(known).filter((entry) => entry !== undefined), ...fresh];
    },
    async run(signal) {
      while (!signal.aborted) {
        await current().catch((error: unknown) => {
          if (!signal.aborted) log.warn('registrations_unavailable', { reason: error });
        });
        await sleep(LOOK_MS, signal);
      }
    },
  };
}
