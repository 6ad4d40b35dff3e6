import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/adapter/clock.ts';
import { inParallel, readDocument, type VaultCaller } from '../../lib/adapter/documents.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { changedSince, type Mark, readRevision } from '../../lib/adapter/revision.ts';
import { entryRef } from '../../lib/attestation/index.ts';
import { InputError } from '../../lib/errors.ts';
import { everyPlace, type Place, placeAt } from '../places.ts';
import { sharedLook } from '../shared-look.ts';
import { parseRegisteredService, type RegisteredService, servicePath } from './registered-service.ts';
import { MOST_TOLD, tellable } from './tellable.ts';

/** What is registered, as of one revision. */
export type Registered = {
  /** The hash of what sidecars are told. */
  readonly version: string;
  readonly seenAt: Date;
  /** By `tenant/name`. */
  readonly all: ReadonlyMap<string, RegisteredService>;
  /** What sidecars are told: no host twice, and no more than they hold. */
  readonly told: readonly RegisteredService[];
};

/** Services that registrars wrote into Vault, kept in step with it from the first question about them on. */
export interface RegisteredServices {
  /** As of the time of the call. @throws VaultError, DocumentError */
  current(): Promise<Registered>;
  /** As last seen; the last good one stays while Vault is away. Undefined before the first. */
  readonly latest: Registered | undefined;
  /** Settles with the next change, after `ms`, or when the broker ends. */
  changed(ms: number): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

export type RegisteredServicesDeps = {
  readonly vault: VaultCaller;
  readonly trustDomain: string;
  /** How old what was read may get, although the revision says that nothing changed. */
  readonly reloadMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

const LOOK_MS = 1_000;

type Loaded = Registered & { readonly mark: Mark; readonly loadedAt: number };

export function createRegisteredServices(deps: RegisteredServicesDeps): RegisteredServices {
  const { vault, trustDomain, reloadMs, clock, log } = deps;
  const waiting = new Set<() => void>();
  const asked = new AbortController();
  const unreadable = new Set<string>();
  let tied = '';
  let loaded: Loaded | undefined;

  /** Undefined where there is none, or one that cannot be used: it is skipped, and the others live. */
  const read = async (place: Place): Promise<RegisteredService | undefined> => {
    const path = servicePath(place);
    const document = await readDocument(vault, path);
    if (document === undefined) return undefined;
    try {
      const service = parseRegisteredService(document.value, { trustDomain });
      if (servicePath(service) === path) {
        unreadable.delete(path);
        return service;
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    if (!unreadable.has(path) && unreadable.size < MOST_TOLD) {
      log.error('service_unreadable', { service: entryRef(place) });
      unreadable.add(path);
    }
    return undefined;
  };

  const look = async (): Promise<Registered> => {
    const revision = await readRevision(vault);
    const from = loaded;
    const stale = from === undefined || performance.now() - from.loadedAt > reloadMs;
    const changed = stale ? undefined : changedSince(revision, from.mark);
    const places =
      changed === undefined
        ? await everyPlace(vault, 'services')
        : [...changed].map((path) => placeAt('services', path)).filter((place) => place !== undefined);
    const all = new Map(changed === undefined ? [] : from?.all);
    for (const place of places) all.delete(entryRef(place));
    for (const service of await inParallel(places, read))
      if (service !== undefined) all.set(entryRef(service), service);
    const { told, version } =
      places.length === 0 && from !== undefined && changed !== undefined ? from : tell(all);
    loaded = {
      ...{ version, told, all, mark: revision, seenAt: clock.now() },
      loadedAt: changed === undefined || from === undefined ? performance.now() : from.loadedAt,
    };
    if (from?.version !== version) {
      log.info('registered_services', { version, services: told.length });
      for (const wake of waiting) wake();
    }
    return loaded;
  };

  const tell = (all: ReadonlyMap<string, RegisteredService>) => {
    const found = tellable(all.values());
    const names = found.tied.join(' ');
    if (names !== '' && names !== tied) log.error('service_host_tied', { hosts: found.tied.slice(0, 16) });
    tied = names;
    const version = createHash('sha256').update(JSON.stringify(found.told)).digest('base64url');
    return { told: found.told, version };
  };

  const current = sharedLook(look);

  return {
    current,
    get latest() {
      return loaded;
    },
    async changed(ms) {
      asked.abort();
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      waiting.add(resolve);
      await promise;
      waiting.delete(resolve);
      clearTimeout(timer);
    },
    async run(signal) {
      const either = AbortSignal.any([signal, asked.signal]);
      while (!either.aborted) await sleep(60_000, either);
      let fault = '';
      while (!signal.aborted) {
        try {
          await current();
          fault = '';
        } catch (error) {
          if (!signal.aborted && fault !== String(error))
            log.warn('registered_services_unavailable', { reason: error });
          fault = String(error);
        }
        await sleep(LOOK_MS, signal);
      }
      for (const wake of waiting) wake();
    },
  };
}
