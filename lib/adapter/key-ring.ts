import { hash } from 'node:crypto';
import { retryDelay } from '../rotation/index.ts';
import { type KeySet, readKeySet, type VerificationKey } from '../token/index.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

export type KeyRingDeps = {
  /** What the log calls them: `user_keys`, and `user_keys_not_read` when that failed. */
  readonly event: string;
  readonly issuer: string;
  readonly secret: boolean;
  readonly refreshSeconds: number;
  readonly keepSeconds: number;
  /** Reads what the issuer publishes, within seconds. */
  readonly read: () => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  /** Told how each reading went. */
  readonly told: (result: 'read' | 'failed') => void;
  readonly closed: () => void;
};

/** Between two readings because of keys that are not known: anybody can name some. */
const SEEK_MS = 10_000;
const AFTER_FAILURE_MS = 1_000;

/**
 * The keys of one issuer, read again and again. When that fails, the last ones serve on, for a time; whatever happens here concerns no
 * other issuer.
 */
export class KeyRing implements Disposable {
  private readonly deps: KeyRingDeps;
  private keys: readonly VerificationKey[] = [];
  private digest = '';
  private generation = 0;
  private confirmedAt: number | null = null;
  private triedAt = Number.NEGATIVE_INFINITY;
  private soughtAt = Number.NEGATIVE_INFINITY;
  private failures = 0;
  private reading: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private closed = false;

  constructor(deps: KeyRingDeps) {
    this.deps = deps;
  }

  /** Rises with each change of the keys; 0 while there are none that may be used. */
  epochAt(nowMs: number): number {
    return this.confirmedAt === null || nowMs >= this.confirmedAt + this.deps.keepSeconds * 1_000
      ? 0
      : this.generation;
  }

  /** Those that may be used: only while `epochAt` is not 0. */
  get current(): readonly VerificationKey[] {
    return this.keys;
  }

  get status() {
    const { keys, confirmedAt, failures } = this;
    return {
      keys: keys.length,
      confirmed_at: confirmedAt === null ? null : new Date(confirmedAt),
      failures,
    };
  }

  /** Reads because there are no keys, unless that just failed. Never rejects. */
  async need(): Promise<void> {
    if (this.reading !== null || this.failures === 0 || this.nowMs >= this.triedAt + AFTER_FAILURE_MS)
      await this.refresh();
  }

  /** Reads because a token names a key that is not here, unless that was so a moment ago. Never rejects. */
  async seek(): Promise<void> {
    if (this.nowMs >= this.soughtAt + SEEK_MS) {
      this.soughtAt = this.nowMs;
      await this.refresh();
    } else await this.reading;
  }

  /** Reads now, or waits for the reading that is under way. Never rejects. */
  refresh(): Promise<void> {
    this.reading ??= this.load().finally(() => {
      this.reading = null;
      this.plan();
    });
    return this.reading;
  }

  [Symbol.dispose](): void {
    this.closed = true;
    this.deps.closed();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private get nowMs(): number {
    return this.deps.clock.now().getTime();
  }

  private async load(): Promise<void> {
    const { event, issuer, secret, read, log, told } = this.deps;
    this.triedAt = this.nowMs;
    try {
      this.adopt(readKeySet(await read(), secret ? 'secret' : 'public'));
      this.confirmedAt = this.nowMs;
      this.failures = 0;
      told('read');
    } catch (error) {
      if (this.closed) return;
      this.failures++;
      told('failed');
      log.warn(`${event}_not_read`, { issuer, failures: this.failures, kept: this.keys.length, error });
    }
  }

  private adopt({ keys, ignored }: KeySet): void {
    const digest = hash('sha256', JSON.stringify([keys, ignored]));
    if (digest === this.digest) return;
    this.digest = digest;
    this.keys = keys;
    this.generation++;
    const { event, issuer, log } = this.deps;
    log.info(event, { issuer, keys: keys.length, ...(ignored.length > 0 ? { ignored } : {}) });
  }

  private plan(): void {
    if (this.closed) return;
    if (this.timer !== null) clearTimeout(this.timer);
    const random = Math.random();
    const usual = this.deps.refreshSeconds * (900 + 200 * random);
    const delay = this.failures === 0 ? usual : Math.min(usual, retryDelay(this.failures + 2, random));
    this.timer = setTimeout(() => void this.refresh(), delay);
    this.timer.unref();
  }
}
