import { readFile } from 'node:fs/promises';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import { retryDelay } from '../../lib/rotation/index.ts';
import type { ServicesSettings } from '../config/services.ts';
import { AcquireError } from '../identity/acquire-error.ts';
import { type BrokerConnection, type BrokerSettings, connectBroker } from '../identity/broker-client.ts';
import type { Credentials } from '../identity/credentials.ts';
import { type Directory, readDirectory } from './directory.ts';
import { type Naming, namingOf } from './naming.ts';

export type { Directory, Place, RegisteredService, Service, ServicePort } from './directory.ts';

/** The Services that the app may call. */
export interface Services extends Disposable {
  /** Null until the broker told of them once. The last good one stays while the broker is away. */
  readonly current: Directory | null;
  readonly naming: Naming;
  /** Told of each that comes into force. @returns ends it */
  subscribe(listener: (directory: Directory) => void): () => void;
  readonly status: ServicesStatus;
}

export type ServicesStatus = {
  readonly version: string | null;
  readonly services: number;
  /** When the API server last said that this is so, as far as the broker told with this version. */
  readonly seen_at: Date | null;
  /** Why nothing new comes; null while it would. */
  readonly fault: string | null;
};

export type ServicesDeps = {
  readonly settings: ServicesSettings;
  readonly broker: BrokerSettings;
  readonly credentials: Credentials;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Left out, as the machine's resolver is told. */
  readonly resolvConf?: string;
};

const RESOLV_CONF = '/etc/resolv.conf';
const LONGEST_PAUSE_MS = 10_000;
/** An answer that brings nothing comes after the broker's wait; one that comes sooner must not make us ask without a pause. */
const SOON_MS = 1_000;

/** Asks the broker over mTLS again and again, each time until the list is another. In memory only. */
export async function openServices(deps: ServicesDeps): Promise<Services> {
  const text = deps.resolvConf ?? (await readFile(RESOLV_CONF, 'utf8').catch(() => ''));
  const feed = new Feed(deps, { ...namingOf(text), ...deps.settings });
  feed.begin();
  return feed;
}

class Feed implements Services {
  current: Directory | null = null;
  readonly naming: Naming;
  private readonly deps: ServicesDeps;
  private readonly listeners = new Set<(directory: Directory) => void>();
  private readonly closed = new AbortController();
  private turn = new AbortController();
  private readonly unsubscribe: () => void;
  private readonly listed;
  private readonly staleness;
  private fault: string | null = null;

  constructor(deps: ServicesDeps, naming: Naming) {
    this.deps = deps;
    this.naming = naming;
    this.listed = deps.metrics.gauge('signet_services', 'Services that the broker told of');
    this.staleness = deps.metrics.gauge(
      'signet_services_stale',
      '1 while no list of Services comes from the broker, or one that is not sound, and the last good one is in force',
    );
    this.unsubscribe = deps.credentials.subscribe(() => this.turn.abort());
  }

  begin(): void {
    this.staleness.set(1);
    void this.run();
  }

  get status(): ServicesStatus {
    const { current, fault } = this;
    return {
      version: current?.version ?? null,
      services: current?.services.size ?? 0,
      seen_at: current?.seenAt ?? null,
      fault,
    };
  }

  subscribe(listener: (directory: Directory) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
    this.closed.abort();
    this.turn.abort();
  }

  private async run(): Promise<void> {
    const { broker, credentials } = this.deps;
    for (let attempt = 0; !this.closed.signal.aborted; ) {
      this.turn = new AbortController();
      const { signal } = this.turn;
      const svid = credentials.current;
      // whatever ends the wait for an SVID ends the turn
      if (svid === null) await sleep(LONGEST_PAUSE_MS, signal);
      else
        try {
          const keyPem = svid.key.export({ type: 'pkcs8', format: 'pem' }).toString();
          const identity = { certChainPem: svid.certChainPem, keyPem };
          using connection = await connectBroker(broker, identity, signal);
          while (!signal.aborted) {
            await this.ask(connection, signal);
            attempt = 0;
          }
        } catch (error) {
          if (signal.aborted) continue;
          this.tell(error instanceof AcquireError ? error.code.toLowerCase() : 'internal', error);
          attempt++;
          await sleep(Math.min(LONGEST_PAUSE_MS, retryDelay(attempt, Math.random())), signal);
        }
    }
  }

  private async ask(connection: BrokerConnection, signal: AbortSignal): Promise<void> {
    const { settings, broker, log } = this.deps;
    const asked = performance.now();
    const query = new URLSearchParams({
      ...(settings.cluster === undefined ? {} : { cluster: settings.cluster }),
      ...(this.current === null ? {} : { since: this.current.version }),
    });
    const body = await connection.services(query.toString(), signal);
    if (signal.aborted) return;
    if (body !== null) {
      const directory = readDirectory(body, broker.trustDomain);
      const first = this.current === null;
      this.current = directory;
      this.listed.set(directory.services.size);
      for (const listener of this.listeners) listener(directory);
      const { version, services } = directory;
      log[first ? 'info' : 'debug']('services', { version, services: services.size });
    } else if (performance.now() - asked < SOON_MS) await sleep(retryDelay(1, Math.random()), signal);
    this.tell(null);
  }

  private tell(fault: string | null, reason?: unknown): void {
    const { log } = this.deps;
    if (fault === null && this.fault !== null) log.info('services_restored', { after: this.fault });
    else if (fault !== null && fault !== this.fault)
      log.warn('services_unavailable', { code: fault, kept: this.current?.version ?? null, reason });
    this.fault = fault;
    this.staleness.set(fault !== null || this.current === null ? 1 : 0);
  }
}
