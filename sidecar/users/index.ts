import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Clock } from '../../lib/adapter/clock.ts';
import { KeyRing } from '../../lib/adapter/key-ring.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Counter, Metrics } from '../../lib/adapter/metrics.ts';
import { InputError } from '../../lib/errors.ts';
import { readJson } from '../../lib/json-text.ts';
import type { Users } from '../inbound/screens.ts';
import { watchFile } from '../watch-file.ts';
import { ANSWERS } from './answers.ts';
import { Desk, MOST_AT_ONCE } from './desk.ts';
import type { KeySettings } from './document.ts';
import type { Issuer } from './issuers.ts';
import { Line } from './line.ts';
import { fileOf, type LoadedIssuer, loadUsers } from './load.ts';
import { Tally } from './tally.ts';

export type UsersStatus = {
  readonly loaded_at: Date | null;
  /** The file as it is now was refused, and what was in force before still is. */
  readonly stale: boolean;
  readonly issuers: readonly object[];
};

/**
 * The issuers of a file, whose tokens say who the end user of a request is; read again whenever the file changes. A file that cannot be
 * understood changes nothing but `stale`.
 */
export interface UsersFile extends Users, Disposable {
  /** The file was understood once. Until then nobody is told from anybody, and nothing passes. */
  readonly ready: boolean;
  readonly status: UsersStatus;
  /** Reads the file and the keys now; settles when the file is judged, and never throws. */
  reload(): Promise<void>;
}

export type UsersFileDeps = {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

const SHOWN_DEFECTS = 20;

/** Reads the file and watches it. */
export async function openUsers({ file, clock, log, metrics }: UsersFileDeps): Promise<UsersFile> {
  const reloads = metrics.counter('signet_users_reloads_total', 'Readings of the file of users, by result');
  const staleness = metrics.gauge(
    'signet_users_stale',
    '1 while the file of users is refused and what was in force before still is',
  );
  const readings = metrics.counter(
    'signet_users_keys_total',
    "Readings of issuers' keys, by issuer and result",
  );
  const tally = new Tally(metrics);
  const rings = new Rings(file, clock, log, readings);
  let desk: Desk | null = null;
  let loadedAt: Date | null = null;
  let stale = true;

  const load = async () => {
    try {
      const { issuers, routes } = await loadUsers(file, readFile);
      const most = Math.max(64, Math.floor(MOST_AT_ONCE / (issuers.length + 1)));
      const told = issuers.map((loaded) => issuerOf(loaded, rings, most));
      rings.keep(told);
      desk?.[Symbol.dispose]();
      desk = new Desk({ issuers: told, routes, tally, clock, log });
      loadedAt = clock.now();
      stale = false;
      reloads.add(1, { result: 'understood' });
      log.info('users', { issuers: issuers.map(({ settings }) => settings.name), routes: routes.length });
    } catch (error) {
      stale = true;
      reloads.add(1, { result: 'refused' });
      const why =
        error instanceof InputError ? { defects: error.defects.slice(0, SHOWN_DEFECTS) } : { error };
      log.error('users_refused', { file, kept: desk !== null, ...why });
    }
    staleness.set(stale ? 1 : 0);
  };

  // One reading at a time, in order: an older text must not overtake a newer one.
  let queue = load();
  const reload = () => (queue = queue.then(load));
  await queue;
  const watcher = watchFile(
    file,
    () => void reload(),
    (error) => log.warn('users_not_watched', { error }),
  );
  return {
    identify: (head, now) => (desk === null ? ANSWERS.users_unavailable : desk.identify(head, now)),
    get ready() {
      return desk !== null;
    },
    get status() {
      const issuers = (desk?.deps.issuers ?? []).map(({ settings, ring }) => ({
        name: settings.name,
        ...(ring === null ? { asked: true } : ring.status),
      }));
      return { loaded_at: loadedAt, stale, issuers };
    },
    reload,
    [Symbol.dispose]() {
      watcher?.close();
      desk?.[Symbol.dispose]();
      rings.keep([]);
      tally[Symbol.dispose]();
    },
  };
}

function issuerOf({ settings, ca, clientSecret, opening }: LoadedIssuer, rings: Rings, most: number): Issuer {
  const { source } = settings;
  const asks = source.kind === 'introspection';
  return {
    settings,
    ring: asks ? null : rings.of(settings.name, source, ca),
    line: asks ? new Line(source.url, ca) : null,
    clientSecret,
    opening,
    waits: { now: 0, most },
  };
}

/** The key rings in use. One that is asked for as before stays, with its keys: a new reading of the file loses none. */
class Rings {
  private readonly file: string;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly readings: Counter;
  private readonly known = new Map<string, KeyRing>();

  constructor(file: string, clock: Clock, log: Log, readings: Counter) {
    this.file = file;
    this.clock = clock;
    this.log = log;
    this.readings = readings;
  }

  of(issuer: string, source: KeySettings, ca: string | null): KeyRing {
    const { from, secret, refreshSeconds, keepSeconds } = source;
    const key = JSON.stringify([issuer, from, ca, secret, refreshSeconds, keepSeconds]);
    let ring = this.known.get(key);
    if (ring === undefined) {
      const line = 'file' in from ? null : new Line(from, ca);
      ring = new KeyRing({
        ...{ event: 'user_keys', issuer, secret, refreshSeconds, keepSeconds },
        ...{ clock: this.clock, log: this.log },
        read: () => this.read(from, line),
        told: (result) => this.readings.add(1, { issuer, result }),
        closed: () => line?.[Symbol.dispose](),
      });
      this.known.set(key, ring);
    }
    void ring.refresh();
    return ring;
  }

  /** Lets go of all others. */
  keep(issuers: readonly Issuer[]): void {
    for (const [key, ring] of this.known) {
      if (issuers.some((issuer) => issuer.ring === ring)) continue;
      ring[Symbol.dispose]();
      this.known.delete(key);
    }
  }

  private async read(from: KeySettings['from'], line: Line | null): Promise<unknown> {
    const name = fileOf(from);
    if (name !== null) {
      const json = readJson((await readFile(resolve(dirname(this.file), name))).toString());
      if (!json.ok) throw new Error(`no JSON ${json.where}`);
      return json.value;
    }
    const { status, body } = await line!.ask(null);
    if (status !== 200) throw new Error(`answered by status ${status}`);
    return body;
  }
}
