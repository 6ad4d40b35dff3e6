import { retryDelay } from '../../rotation/index.ts';
import { isRetryable } from '../../telemetry/index.ts';
import { sleep } from '../lifecycle.ts';

/** What came of one request to the collector. `status` 0: no answer. */
export type Delivery = {
  readonly status: number;
  readonly retryAfterMs: number | null;
  /** How many of the batch it took the request without. */
  readonly rejected: number;
};

/** Why something is not at the collector. */
export type Loss = 'queue_full' | 'refused' | 'rejected' | 'unreachable' | 'closing';

export type OutletDeps<T> = {
  /** At most so many wait, and go together. */
  readonly most: number;
  readonly batch: number;
  send(items: readonly T[], signal: AbortSignal): Promise<Delivery>;
  sent(items: number): void;
  lost(items: number, why: Loss): void;
  /** In [0, 1). */
  random(): number;
};

const MOST_TRIES = 5;

/** What waits to be sent, of one kind: bounded, in batches, one after the other. Nobody waits for it. */
export class Outlet<T> {
  private readonly deps: OutletDeps<T>;
  private readonly waiting: T[] = [];
  private readonly closing = new AbortController();
  private readonly given = new AbortController();
  private draining: Promise<void> | null = null;

  constructor(deps: OutletDeps<T>) {
    this.deps = deps;
  }

  add(item: T): void {
    const { most, batch, lost } = this.deps;
    if (this.waiting.length >= most || this.closing.signal.aborted) {
      lost(1, this.closing.signal.aborted ? 'closing' : 'queue_full');
      return;
    }
    this.waiting.push(item);
    if (this.waiting.length >= batch) this.flush();
  }

  /** Sends what waits, unless that is under way. */
  flush(): void {
    if (this.draining !== null || this.waiting.length === 0) return;
    this.draining = this.drain().finally(() => {
      this.draining = null;
    });
  }

  /** Sends what waits, and has let go of all of it when `signal` fires. */
  async close(signal: AbortSignal): Promise<void> {
    // a failed batch is tried once more, now
    this.closing.abort();
    const give = () => this.given.abort();
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
    await this.draining;
    this.flush();
    await this.draining;
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) await this.deliver(this.waiting.splice(0, this.deps.batch));
  }

  private async deliver(items: readonly T[]): Promise<void> {
    const { send, sent, lost, random } = this.deps;
    for (let attempt = 1; !this.given.signal.aborted; attempt++) {
      const last = this.closing.signal.aborted || attempt === MOST_TRIES;
      const { status, retryAfterMs, rejected } = await send(items, this.given.signal);
      if (status >= 200 && status < 300) {
        const refused = Math.min(rejected, items.length);
        sent(items.length - refused);
        if (refused > 0) lost(refused, 'rejected');
        return;
      }
      if (status !== 0 && !isRetryable(status)) {
        lost(items.length, 'refused');
        return;
      }
      if (last) break;
      await sleep(retryAfterMs ?? retryDelay(attempt, random()), this.closing.signal);
    }
    lost(items.length, this.closing.signal.aborted ? 'closing' : 'unreachable');
  }
}
