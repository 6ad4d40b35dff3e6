import { fdatasync, write } from 'node:fs';

export type AppendQueueDeps = {
  /** Open for appending. */
  readonly fd: number;
  /** More than this many bytes waiting, and the queue accepts nothing. */
  readonly queueBytes: number;
  /** Told when writing begins to fail, and when it works again (null). */
  readonly onFault: (error: NodeJS.ErrnoException | null) => void;
};

/** Lines wait this long for others, so that many cost one system call. */
const GATHER_MS = 10;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;

/** Appends lines to a file in order, losing none: what the disk does not take is kept and tried again. */
export class AppendQueue {
  private readonly deps: AppendQueueDeps;
  private lines: string[] = [];
  private queued = 0;
  /** Being written; its first `written` bytes are. */
  private batch: Buffer | null = null;
  private written = 0;
  private timer: NodeJS.Timeout | null = null;
  private retryMs = FIRST_RETRY_MS;
  private failing = false;
  private readonly idle: (() => void)[] = [];

  constructor(deps: AppendQueueDeps) {
    this.deps = deps;
  }

  get accepting(): boolean {
    return !this.failing && this.queued < this.deps.queueBytes;
  }

  push(line: string): void {
    this.lines.push(line);
    this.queued += line.length;
    if (this.batch === null && this.timer === null) this.later(GATHER_MS);
  }

  /** Writes what waits, within `deadlineMs`, and asks the disk to keep it. @returns whether all of it was written */
  async flush(deadlineMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    const written = new Promise<void>((resolve) => {
      this.idle.push(resolve);
      if (this.batch === null) this.next();
    });
    await Promise.race([written, late]);
    clearTimeout(timer);
    if (this.queued > 0) return false;
    // not every target can be synced: a pipe has nothing to keep
    await new Promise<void>((resolve) => fdatasync(this.deps.fd, () => resolve()));
    return true;
  }

  /** Writes nothing more. */
  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.lines = [];
    this.batch = null;
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => this.next(), ms);
  }

  private next(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.batch === null) {
      if (this.lines.length === 0) {
        for (const resolve of this.idle.splice(0)) resolve();
        return;
      }
      this.batch = Buffer.from(this.lines.join(''));
      this.queued = this.batch.length;
      this.lines = [];
      this.written = 0;
    }
    const batch = this.batch;
    write(this.deps.fd, batch, this.written, batch.length - this.written, null, (error, written) => {
      if (this.batch !== batch) return;
      if (error !== null) this.failed(error);
      else this.wrote(batch, written);
    });
  }

  private wrote(batch: Buffer, written: number): void {
    this.written += written;
    this.queued -= written;
    if (this.failing) this.deps.onFault(null);
    this.failing = false;
    this.retryMs = FIRST_RETRY_MS;
    if (this.written === batch.length) this.batch = null;
    if (this.batch !== null || this.idle.length > 0) this.next();
    else if (this.lines.length > 0) this.later(GATHER_MS);
  }

  private failed(error: NodeJS.ErrnoException): void {
    // a full pipe is a slow reader, not a fault; its queue fills like any other
    if (error.code !== 'EAGAIN') {
      if (!this.failing) this.deps.onFault(error);
      this.failing = true;
    }
    this.later(error.code === 'EAGAIN' ? GATHER_MS : this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, LAST_RETRY_MS);
  }
}
