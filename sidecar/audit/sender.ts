import { hash } from 'node:crypto';
import { field } from '../../lib/adapter/exchange.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import { retryDelay } from '../../lib/rotation/index.ts';
import { AcquireError } from '../identity/acquire-error.ts';
import { type BrokerConnection, connectBroker } from '../identity/broker-client.ts';
import type { Svid } from '../identity/credentials.ts';
import type { Backlog } from './backlog.ts';
import type { CollectorDeps, CollectorStatus } from './collector.ts';
import type { FileSink } from './file-sink.ts';
import { type Line, readBack } from './read-back.ts';

/** Texts stand in JSON, where a character may take two. The broker takes a MiB. */
const BATCH_CHARACTERS = 480 * 1024;
const BATCH_LINES = 5_000;
/** Records wait this long for others, so that many cost the broker's disk one write. */
const GATHER_MS = 100;
const LOOK_AGAIN_MS = 200;
/** How often a file is looked at for a record that should be in it. */
const LOOKS = 25;

/** Keeps a connection to the broker and sends what waits, from memory or from the file. */
export class Sender {
  acknowledged: number | null = null;
  failure: string | null = null;
  countersigned: CollectorStatus['countersigned'] = null;
  onLost: (records: number) => void = () => {};
  private readonly deps: CollectorDeps;
  private readonly backlog: Backlog;
  private readonly ended = new AbortController();
  private finishing = false;
  private woken = Promise.withResolvers<void>();
  /** How often the file was looked at for the record that is next. */
  private looks = 0;
  private cursor: { readonly lines: AsyncGenerator<Line>; next: number } | null = null;

  constructor(deps: CollectorDeps, backlog: Backlog) {
    this.deps = deps;
    this.backlog = backlog;
  }

  wake(): void {
    this.woken.resolve();
  }

  /** Ends when `finish` says so. */
  async run(): Promise<void> {
    const { credentials, log } = this.deps;
    const { signal } = this.ended;
    const unsubscribe = credentials.subscribe(() => this.wake());
    for (let failures = 0; !signal.aborted; ) {
      const svid = credentials.current;
      if (svid === null) {
        await this.untilWoken();
        continue;
      }
      try {
        await this.serve(svid, () => {
          if (failures > 0) log.info('audit_broker_recovered');
          failures = 0;
          this.failure = null;
        });
      } catch (error) {
        if (signal.aborted) break;
        failures++;
        this.failed(error, failures);
        await sleep(retryDelay(failures, Math.random()), signal);
      }
    }
    unsubscribe();
  }

  async finish(deadlineMs: number): Promise<boolean> {
    this.finishing = true;
    this.wake();
    const end = performance.now() + deadlineMs;
    const { backlog } = this;
    while (this.acknowledged !== backlog.next && performance.now() < end) await sleep(10);
    this.ended.abort();
    this.wake();
    return this.acknowledged === backlog.next;
  }

  /** Sends for as long as the connection and the SVID it was made with last. */
  private async serve(svid: Svid, worked: () => void): Promise<void> {
    const { broker, credentials } = this.deps;
    const { signal } = this.ended;
    const keyPem = svid.key.export({ type: 'pkcs8', format: 'pem' }).toString();
    using connection = await connectBroker(broker, { certChainPem: svid.certChainPem, keyPem }, signal);
    await this.send(connection, []);
    worked();
    while (!signal.aborted && credentials.current === svid) {
      const batch = await this.nextBatch();
      if (batch.length > 0) {
        await this.send(connection, batch);
        worked();
      } else if (this.acknowledged === this.backlog.next || this.backlog.gapFrom !== null) {
        await this.untilWoken();
        if (!this.finishing) await sleep(GATHER_MS, signal);
      } else await sleep(LOOK_AGAIN_MS, signal);
    }
  }

  private async send(connection: BrokerConnection, batch: readonly Line[]): Promise<void> {
    const body = { log: this.deps.name, lines: batch.map(({ line }) => line) };
    const answer = await connection.call('/v1/audit', body, 200, this.ended.signal);
    const [next, last] = [field(answer, 'next'), field(answer, 'hash')];
    const sent = batch.at(-1);
    const agreed = sent === undefined || (next === sent.seq + 1 && last === hash('sha256', sent.line));
    if (!Number.isSafeInteger(next) || !agreed)
      throw new AcquireError('BROKER_ANSWER', 'the broker does not say what it has of the audit');
    if ((next as number) > this.backlog.next) {
      const message = 'the broker has records of this log that are not here: its file was put back or cut';
      throw new AcquireError('BROKER_REFUSED', message, { reason: 'audit_behind_broker' });
    }
    this.acknowledged = next as number;
    this.backlog.taken(this.acknowledged);
    const seen = field(answer, 'countersigned');
    const [seq, time] = [field(seen, 'seq'), field(seen, 'time')];
    if (typeof seq === 'number' && typeof time === 'string') this.countersigned = { seq, time };
  }

  /** What the broker is to have next, from memory or from the file; nothing while that cannot be had yet. */
  private async nextBatch(): Promise<Line[]> {
    const next = this.acknowledged ?? 0;
    const { first } = this.backlog;
    if (first !== null && first <= next) {
      this.cursor = null;
      return this.backlog.batch(BATCH_CHARACTERS).slice(0, BATCH_LINES);
    }
    if (this.backlog.next === next || this.backlog.gapFrom === next) return [];
    const found = this.deps.file === null ? [] : await this.readBack(this.deps.file, next);
    if (found.length === 0 && (this.deps.file === null || ++this.looks > LOOKS)) {
      this.onLost(this.backlog.lose(next));
    }
    if (found.length > 0 || this.backlog.gapFrom !== null) this.looks = 0;
    return found;
  }

  private async readBack(file: FileSink, next: number): Promise<Line[]> {
    if (this.cursor?.next !== next) this.cursor = { lines: readBack(file.files(), next), next };
    const { cursor } = this;
    const batch: Line[] = [];
    for (let size = 0; size < BATCH_CHARACTERS && batch.length < BATCH_LINES; ) {
      const { value, done } = await cursor.lines.next();
      if (done === true || value.seq !== cursor.next) {
        this.cursor = null;
        break;
      }
      batch.push(value);
      cursor.next = value.seq + 1;
      size += value.line.length;
    }
    return batch;
  }

  private failed(error: unknown, failures: number): void {
    const code = error instanceof AcquireError ? (error.detail.reason ?? error.code) : 'FAILED';
    if (failures === 1 || code !== this.failure) this.deps.log.warn('audit_broker_failed', { code, error });
    this.failure = code;
    this.cursor = null;
  }

  private async untilWoken(): Promise<void> {
    await this.woken.promise;
    this.woken = Promise.withResolvers();
  }
}
