import { randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/adapter/clock.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import { type CallMinute, Tally } from '../../lib/calls/index.ts';
import { retryDelay } from '../../lib/rotation/index.ts';
import { AcquireError } from '../identity/acquire-error.ts';
import { type BrokerConnection, type BrokerSettings, connectBroker } from '../identity/broker-client.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { Observation, Observer } from '../observe.ts';

export type CallsDeps = {
  readonly broker: BrokerSettings;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Time until the broker is told next; left out, shortly after the minute is over. */
  readonly pauseMs?: number;
};

/** Counts who calls the app, and tells the broker once a minute. Never a query, a header field or a body. */
export interface Calls extends Observer {
  /** Tells what is left, within `deadlineMs`; what the broker does not take then is lost. */
  close(deadlineMs: number): Promise<void>;
}

const MINUTE_MS = 60_000;
/** Sidecars do not tell all at once. */
const SPREAD_MS = 15_000;
/** Minutes that wait for a broker that is away. */
const MOST_WAITING = 10;
const ATTEMPTS = 3;

export function openCalls(deps: CallsDeps): Calls {
  const teller = new Teller(deps);
  teller.begin();
  return teller;
}

class Teller implements Calls {
  private readonly deps: CallsDeps;
  private readonly tally = new Tally();
  /** Tells this process from others of the same workload; with the number, a message that came twice. */
  private readonly reporter = randomBytes(16).toString('base64url');
  private seq = 0;
  private readonly waiting: { readonly seq: number; readonly over: CallMinute }[] = [];
  private readonly ended = new AbortController();
  private running = Promise.resolve();
  private readonly spreadMs = Math.random() * SPREAD_MS;
  private readonly told;
  private readonly lost;
  private failure: string | null = null;

  constructor(deps: CallsDeps) {
    this.deps = deps;
    this.told = deps.metrics.counter('signet_calls_told_total', 'Exchanges that the broker was told of');
    this.lost = deps.metrics.counter(
      'signet_calls_lost_total',
      'Exchanges that the broker should have been told of, and was not',
    );
  }

  begin(): void {
    this.running = this.run();
  }

  observed(observation: Observation): void {
    if (observation.side === 'inbound') this.keep(this.tally.add(observation));
  }

  async close(deadlineMs: number): Promise<void> {
    this.ended.abort();
    await this.running;
    this.keep(this.tally.take());
    if (this.waiting.length > 0)
      await this.tell(AbortSignal.timeout(deadlineMs)).catch((error: unknown) => this.failed(error));
    for (const { over } of this.waiting.splice(0)) this.lose(over);
  }

  private async run(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      await sleep(this.pauseMs(), signal);
      this.keep(this.tally.takeBefore(this.now()));
      for (let attempt = 1; this.waiting.length > 0 && !signal.aborted; attempt++) {
        try {
          await this.tell(signal);
        } catch (error) {
          if (signal.aborted) break;
          this.failed(error);
          // the next minute begins anew
          if (attempt === ATTEMPTS) break;
          await sleep(retryDelay(attempt, Math.random()), signal);
        }
      }
    }
  }

  private keep(over: CallMinute | null): void {
    if (over === null) return;
    if (this.waiting.length === MOST_WAITING) this.lose(this.waiting.shift()!.over);
    this.waiting.push({ seq: this.seq++, over });
  }

  private async tell(signal: AbortSignal): Promise<void> {
    const svid = this.deps.credentials.current;
    if (svid === null) throw new AcquireError('BROKER_UNREACHABLE', 'there is no SVID to speak with');
    const keyPem = svid.key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const identity = { certChainPem: svid.certChainPem, keyPem };
    using connection = await connectBroker(this.deps.broker, identity, signal);
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      const taken = await this.send(connection, first, signal);
      // it may have been pushed out meanwhile
      if (this.waiting[0] !== first) continue;
      this.waiting.shift();
      if (taken) this.told.add(countOf(first.over));
      else this.lose(first.over);
    }
    if (this.failure !== null) this.deps.log.info('calls_broker_recovered');
    this.failure = null;
  }

  /** @returns false where the broker will not take it, however often it is told */
  private async send(
    connection: BrokerConnection,
    { seq, over }: { readonly seq: number; readonly over: CallMinute },
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      await connection.call('/v1/calls', { reporter: this.reporter, seq, ...over }, 204, signal);
      return true;
    } catch (error) {
      if (!(error instanceof AcquireError) || error.code !== 'BROKER_REFUSED') throw error;
      this.failed(error);
      return false;
    }
  }

  private failed(error: unknown): void {
    const code = error instanceof AcquireError ? (error.detail.reason ?? error.code) : 'FAILED';
    if (code !== this.failure) this.deps.log.warn('calls_broker_failed', { code, error });
    this.failure = code;
  }

  private lose(over: CallMinute): void {
    this.lost.add(countOf(over));
  }

  private now(): number {
    return this.deps.clock.now().getTime();
  }

  private pauseMs(): number {
    return this.deps.pauseMs ?? MINUTE_MS - (this.now() % MINUTE_MS) + this.spreadMs;
  }
}

function countOf({ rows }: CallMinute): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}
