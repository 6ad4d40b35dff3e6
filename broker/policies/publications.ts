import type { VaultCaller } from '../../lib/adapter/documents.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Denylist } from '../../lib/adapter/publishing/denylist.ts';
import { readCurrent, readPolicyKey, readSet, type StoredSet } from '../../lib/adapter/publishing/store.ts';
import type { Registrations } from '../registrations.ts';
import { sharedLook } from '../shared-look.ts';

/** What is published, as this broker last read it, and a way to wait for the next. */
export interface Publications {
  /** Undefined until something was published and read. The last good one stays while Vault is away. */
  readonly set: StoredSet | undefined;
  readonly denylist: Denylist['signed'];
  /** Certificates of the key's versions, PEM: what is published stays good when the certificate is renewed. */
  chainOf(keyVersion: number): string | undefined;
  /** Settles with the next change, after `ms`, or when the broker ends. While anybody waits, Vault is looked at often. */
  changed(ms: number): Promise<void>;
  /** Looks now. @throws VaultError, DocumentError */
  refresh(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

export type PublicationsDeps = {
  readonly vault: VaultCaller;
  readonly registrations: Pick<Registrations, 'current'>;
  /** How old what was read may get, although the revision says that nothing changed. */
  readonly reloadMs: number;
  readonly log: Log;
};

/** From a publication to an answer within a second: one read of the revision so often, however many wait. */
const AWAITED_MS = 200;
const IDLE_MS = 3_000;

export function createPublications({ vault, registrations, reloadMs, log }: PublicationsDeps): Publications {
  const waiting = new Set<() => void>();
  let set: StoredSet | undefined;
  let denylist: Denylist['signed'];
  let chains: ReadonlyMap<number, string> = new Map();
  let seen: { readonly version: number; readonly at: number } | undefined;
  let failed = '';
  let woken = new AbortController();
  let over = false;

  const read = async () => {
    const [current, key] = await Promise.all([readCurrent(vault), readPolicyKey(vault)]);
    chains = key.chains;
    const [newest] = current.sets;
    if (newest === undefined || newest.set === set?.published.set) return;
    set = await readSet(vault, newest);
    const { version, author, documents } = set.manifest;
    log.info('policies', { version, author, documents: documents.length });
  };
  const look = async () => {
    const snapshot = await registrations.current();
    const stale = seen === undefined || performance.now() - seen.at > reloadMs;
    if (!stale && seen?.version === snapshot.mark.version) return;
    denylist = snapshot.denylist.signed;
    await read();
    seen = { version: snapshot.mark.version, at: performance.now() };
    for (const wake of waiting) wake();
  };
  const refresh = sharedLook(look);

  return {
    get set() {
      return set;
    },
    get denylist() {
      return denylist;
    },
    chainOf: (keyVersion) => chains.get(keyVersion),
    async changed(ms) {
      if (over) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      waiting.add(resolve);
      woken.abort();
      await promise;
      waiting.delete(resolve);
      clearTimeout(timer);
    },
    refresh,
    async run(signal) {
      while (!signal.aborted) {
        woken = new AbortController();
        try {
          await refresh();
          failed = '';
        } catch (error) {
          // what Vault's absence is to registrations, it is to these: told once
          if (!signal.aborted && failed !== String(error))
            log.warn('policies_unavailable', { reason: error });
          failed = String(error);
        }
        if (waiting.size > 0) await sleep(AWAITED_MS, signal);
        else await sleep(IDLE_MS, AbortSignal.any([signal, woken.signal]));
      }
      over = true;
      for (const wake of waiting) wake();
    },
  };
}
