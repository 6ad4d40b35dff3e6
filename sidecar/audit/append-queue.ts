import { fdatasync, write } from 'node:fs';

export type AppendQueueDeps = {
  /** Open for appending. */
  readonly fd: number;
  /** More than this many bytes waiting, and the queue accepts nothing. */
  readonly queueBytes: number;
  /** Told when writing begins to fail, and when it works again (null). */
  readonly onFault: (error: NodeJS.ErrnoException | null) => void;
};

/**
 * A step between two lines, when all before it are written to `fd`. What follows is written to the file that it answers with. One that
 * fails is tried again, from its beginning.
 */
export type Turn = (fd: number) => Promise<number>;

/** Lines wait this long for others, so that many cost one system call. */
const GATHER_MS = 10;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
const PAGE = 256 * 1024;
/** UTF-8 takes at most so many bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3;

/**
 * Appends lines to a file in order, losing none: what the disk does not take is kept and tried again. Lines become bytes at once, in
 * pages that are used again: as strings they would outlive the young generation and cost more to collect than to write.
 */
export class AppendQueue {
  private readonly deps: AppendQueueDeps;
  /** What is written to now. */
  fd: number;
  private turning = false;
  /** Being filled: what waits in it is `[start, end)`. */
  private page: Buffer = Buffer.allocUnsafeSlow(PAGE);
  private start = 0;
  private end = 0;
  /** Full, and waiting. */
  private readonly full: (Buffer | Turn)[] = [];
  private spare: Buffer | null = null;
  private queued = 0;
  /** Being written; its first `written` bytes are. */
  private batch: Buffer | null = null;
  private written = 0;
  private timer: NodeJS.Timeout | null = null;
  private retryMs = FIRST_RETRY_MS;
  private failing = false;
  private stopped = false;
  private readonly idle: (() => void)[] = [];

  constructor(deps: AppendQueueDeps) {
    this.deps = deps;
    this.fd = deps.fd;
  }

  get accepting(): boolean {
    return !this.failing && this.queued < this.deps.queueBytes;
  }

  /** @returns how many bytes it has */
  push(line: string): number {
    const most = line.length * BYTES_PER_UNIT;
    if (this.end + most > this.page.length) this.turnPage(most);
    const bytes = this.page.write(line, this.end);
    this.end += bytes;
    this.queued += bytes;
    if (this.batch === null && this.timer === null) this.later(GATHER_MS);
    return bytes;
  }

  /** Takes `turn` when all that was pushed is written, and writes nothing that is pushed from now on before it is done. */
  turn(turn: Turn): void {
    this.turnPage(0);
    this.full.push(turn);
    if (this.batch === null && this.timer === null) this.later(0);
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
    await new Promise<void>((resolve) => fdatasync(this.fd, () => resolve()));
    return true;
  }

  /** Writes nothing more. */
  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.stopped = true;
  }

  private turnPage(room: number): void {
    if (this.end > this.start) this.full.push(this.page.subarray(this.start, this.end));
    const { spare } = this;
    this.spare = null;
    this.page = spare !== null && spare.length >= room ? spare : Buffer.allocUnsafeSlow(Math.max(PAGE, room));
    this.start = 0;
    this.end = 0;
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => this.next(), ms);
  }

  private next(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.turning || this.stopped) return;
    const [first] = this.full;
    if (this.batch === null && typeof first === 'function') return void this.makeTurn(first);
    this.batch ??= this.take();
    const { batch } = this;
    if (batch === null) {
      for (const resolve of this.idle.splice(0)) resolve();
      return;
    }
    write(this.fd, batch, this.written, batch.length - this.written, null, (error, written) => {
      if (this.stopped) return;
      if (error !== null) this.failed(error);
      else this.wrote(batch, written);
    });
  }

  private async makeTurn(turn: Turn): Promise<void> {
    this.turning = true;
    try {
      this.fd = await turn(this.fd);
      this.full.shift();
      this.turning = false;
      this.working();
      this.next();
    } catch (error) {
      this.turning = false;
      this.failed(error as NodeJS.ErrnoException);
    }
  }

  /** The bytes that have waited longest, in one piece. No turn is due before them. */
  private take(): Buffer | null {
    this.written = 0;
    const first = this.full.shift();
    if (first !== undefined) return first as Buffer;
    if (this.end === this.start) return null;
    const piece = this.page.subarray(this.start, this.end);
    this.start = this.end;
    return piece;
  }

  private wrote(batch: Buffer, written: number): void {
    this.written += written;
    this.queued -= written;
    this.working();
    if (this.written === batch.length) this.finished(batch);
    if (this.batch !== null || this.idle.length > 0 || this.full.length > 0) this.next();
    else if (this.end > this.start) this.later(GATHER_MS);
  }

  private working(): void {
    if (this.failing) this.deps.onFault(null);
    this.failing = false;
    this.retryMs = FIRST_RETRY_MS;
  }

  /** A page of which nothing waits any more may be filled again. */
  private finished(batch: Buffer): void {
    this.batch = null;
    if (batch.buffer === this.page.buffer) {
      if (this.start < this.end) return;
      this.start = 0;
      this.end = 0;
    } else if (!this.full.some((piece) => typeof piece !== 'function' && piece.buffer === batch.buffer))
      this.spare = Buffer.from(batch.buffer);
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
