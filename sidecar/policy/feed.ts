import type { Clock } from '../../lib/adapter/clock.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import { DeliveryError, type Trust, verifyDelivery, verifyDenylist } from '../../lib/manifest/index.ts';
import {
  type CompiledPolicy,
  compilePolicies,
  PolicyError,
  type RegexCompiler,
} from '../../lib/policy/index.ts';
import { retryDelay } from '../../lib/rotation/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import { pemToDer } from '../../lib/svid/index.ts';
import { AcquireError } from '../identity/acquire-error.ts';
import { type BrokerConnection, connectBroker } from '../identity/broker-client.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import { type Delivery, readDelivery, regexesOf, understood } from './delivery.ts';
import type { PoliciesDeps } from './index.ts';
import type { Policies } from './policies.ts';

const LONGEST_PAUSE_MS = 10_000;
/** An answer that brings nothing comes after the broker's wait; one that comes sooner must not make us ask without a pause. */
const SOON_MS = 1_000;
const SHOWN_DEFECTS = 20;
const NOBODY: ReadonlySet<string> = new Set();

/**
 * The policies and the deny-list that a broker hands out: asked for over mTLS again and again, each time until something is newer. What
 * comes is verified by the authority that this sidecar was configured with, and put in force at once or not at all. In memory only.
 */
export function openPolicyFeed(deps: PoliciesDeps): Policies {
  const { config, credentials, clock, log, metrics, record } = deps;
  const feed = new Feed(
    { trustDomain: config.trustDomain, ...config.broker },
    config.inbound !== null,
    credentials,
    clock,
    log,
    metrics,
    record,
  );
  feed.begin();
  return feed;
}

class Feed implements Policies {
  current: CompiledPolicy | null = null;
  private target: SpiffeId | null = null;
  private version = 0;
  /** The newest that was ever in force here, for whatever workload. */
  private newest = 0;
  private loadedAt: Date | null = null;
  private denylistVersion = 0;
  private deniedIds = NOBODY;
  private deniedSerials = NOBODY;
  private fault: string | null = null;
  private turn = new AbortController();
  private readonly closed = new AbortController();
  private readonly unsubscribe: () => void;
  private readonly deliveries;
  private readonly staleness;
  private readonly versions;
  private readonly broker: { readonly trustDomain: string; readonly url: URL; readonly ca: string };
  /** Whether there is anything to judge by policies; the deny-list is everybody's. */
  private readonly judges: boolean;
  private readonly credentials: Credentials;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly record: PoliciesDeps['record'];
  private readonly authorities: readonly Uint8Array[];

  constructor(
    broker: Feed['broker'],
    judges: boolean,
    credentials: Credentials,
    clock: Clock,
    log: Log,
    metrics: Metrics,
    record: PoliciesDeps['record'],
  ) {
    this.broker = broker;
    this.judges = judges;
    this.credentials = credentials;
    this.clock = clock;
    this.log = log;
    this.record = record;
    this.authorities = pemToDer(broker.ca);
    this.deliveries = metrics.counter(
      'signet_policy_deliveries_total',
      'Policies and deny-lists that came from the broker, by result',
    );
    this.staleness = metrics.gauge(
      'signet_policy_stale',
      '1 while what the broker hands out is refused, or nothing comes, and what was in force before still is',
    );
    this.versions = metrics.gauge('signet_policy_version', 'Version of what is in force, by kind');
    this.unsubscribe = credentials.subscribe(() => this.turn.abort());
  }

  begin(): void {
    this.staleness.set(1);
    void this.run();
  }

  get status(): Policies['status'] {
    const { current, loadedAt, fault } = this;
    return {
      ...{ source: 'broker', version: this.version || null, loadedAt, fault },
      ...{ digest: current?.digest ?? null, documents: current?.size ?? 0 },
      stale: fault !== null || (this.judges && current === null),
    };
  }

  readonly denied: Policies['denied'] = ({ id, serial }) => {
    if (this.deniedIds.has(id.toString())) return 'spiffe_id';
    return this.deniedSerials.has(serial) ? 'serial' : null;
  };

  aim(target: SpiffeId): void {
    if (this.target?.equals(target)) return;
    this.target = target;
    // What is in force was meant for another workload.
    this.current = null;
    // versions are of the trust domain: the same may come again for the other, an older one may not
    this.version = Math.max(0, this.newest - 1);
    this.turn.abort();
  }

  async reload(): Promise<void> {
    this.turn.abort();
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
    this.closed.abort();
    this.turn.abort();
  }

  private async run(): Promise<void> {
    for (let attempt = 0; !this.closed.signal.aborted; ) {
      this.turn = new AbortController();
      const { signal } = this.turn;
      const svid = this.credentials.current;
      // whatever ends the wait for an SVID ends the turn
      if (svid === null) await sleep(LONGEST_PAUSE_MS, signal);
      else
        try {
          using connection = await connectBroker(this.broker, identityOf(svid), signal);
          while (!signal.aborted) {
            await this.ask(connection, signal);
            attempt = 0;
          }
        } catch (error) {
          if (signal.aborted) continue;
          this.fail(error);
          attempt++;
          await sleep(Math.min(LONGEST_PAUSE_MS, retryDelay(attempt, Math.random())), signal);
        }
    }
  }

  private async ask(connection: BrokerConnection, signal: AbortSignal): Promise<void> {
    const asked = performance.now();
    const query = new URLSearchParams({
      ...(this.judges ? { after: String(this.version) } : {}),
      denied: String(this.denylistVersion),
      ...(this.fault === null ? {} : { fault: this.fault }),
    });
    const { target } = this;
    const body = await connection.published(query.toString(), signal);
    if (signal.aborted) return;
    if (body !== null) {
      const delivery = readDelivery(body);
      const regexes = await regexesOf(delivery);
      if (signal.aborted) return;
      this.take(delivery, regexes, target);
    } else if (performance.now() - asked < SOON_MS) await sleep(retryDelay(1, Math.random()), signal);
    // that there is nothing newer says that nothing waits to be refused again
    this.tell(null);
  }

  /** Each of the two for itself: what is wrong with one must not keep the other back. @throws DeliveryError, PolicyError */
  private take(
    { policies, denylist }: Delivery,
    regexes: RegexCompiler | null,
    target: SpiffeId | null,
  ): void {
    const { trustDomain } = this.broker;
    const bundle = { trustDomain, sequence: 0, refreshHintSeconds: 0, authorities: this.authorities };
    const trust: Trust = { bundle, now: this.clock.now() };
    const faults: unknown[] = [];
    if (denylist !== null)
      this.attempt(faults, () => {
        const { version, author, ids, serials } = verifyDenylist(denylist, trust, this.denylistVersion);
        this.deniedIds = new Set(ids);
        this.deniedSerials = new Set(serials);
        this.denylistVersion = version;
        this.versions.set(version, { kind: 'denylist' });
        this.record({ type: 'denylist', version, author });
        this.log.info('denylist', { version, ids: ids.length, serials: serials.length });
      });
    if (policies !== null && this.judges && target !== null)
      this.attempt(faults, () => {
        const claim = { ...trust, id: target, after: this.version };
        const set = verifyDelivery(policies.sealed, policies.documents, claim);
        const compiled = compilePolicies(understood(set, regexes), target);
        const { version, author } = set.manifest;
        this.current = compiled;
        this.version = this.newest = version;
        this.loadedAt = trust.now;
        this.versions.set(version, { kind: 'policies' });
        this.record({ type: 'policy', version, author, policy: compiled.digest, documents: compiled.size });
        this.log.info('policy', {
          target,
          version,
          author,
          digest: compiled.digest,
          documents: compiled.size,
        });
      });
    if (faults.length > 0) throw faults[0];
  }

  private attempt(faults: unknown[], work: () => void): void {
    try {
      work();
      this.deliveries.add(1, { result: 'taken' });
    } catch (error) {
      this.deliveries.add(1, { result: codeOf(error) });
      faults.push(error);
    }
  }

  private fail(error: unknown): void {
    const code = codeOf(error);
    if (code !== this.fault) {
      const why =
        error instanceof PolicyError
          ? { defects: error.defects.slice(0, SHOWN_DEFECTS) }
          : { reason: error instanceof Error ? error.message : String(error) };
      const kept = { kept_version: this.version, kept: this.current?.digest ?? null };
      const { log } = this;
      if (isRefusal(code)) log.error('policy_delivery_refused', { code, ...kept, ...why });
      else log.warn('policy_feed_unavailable', { code, ...kept, ...why });
    }
    this.tell(code);
  }

  private tell(fault: string | null): void {
    if (fault === null && this.fault !== null) this.log.info('policy_feed_restored', { after: this.fault });
    this.fault = fault;
    this.staleness.set(this.status.stale ? 1 : 0);
  }
}

function identityOf({ certChainPem, key }: Svid): { certChainPem: string; keyPem: string } {
  return { certChainPem, keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function codeOf(error: unknown): string {
  if (error instanceof DeliveryError) return error.code;
  if (error instanceof PolicyError) return 'policy_refused';
  if (error instanceof AcquireError) return error.code.toLowerCase();
  return 'internal';
}

/** Whether something came that is not to be believed; otherwise nothing came. */
function isRefusal(code: string | null): boolean {
  return code !== null && /^(delivery|manifest|document|denylist|policy)_/.test(code);
}
