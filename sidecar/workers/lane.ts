import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { retryDelay } from '../../lib/rotation/index.ts';
import type { WorkerProcess } from './worker-process.ts';

export type LaneDeps = {
  readonly log: Log;
  readonly start: () => WorkerProcess;
  /** Told of each that ended without being asked to. */
  readonly died: () => void;
  /** In [0, 1). */
  readonly random: () => number;
};

/** One that lived so long did not die of its start. */
const STEADY_MS = 60_000;
/** A new one that cannot serve by then is given up. Its SVID alone may take some attempts. */
const READY_MS = 60_000;
/** What its long drain, and its audit, may take. */
const REPLACED_MS = 150_000;
const GIVEN_UP_MS = 5_000;

/** Keeps one worker running: one that ends is replaced, later each time when they keep ending, and for ever. */
export class Lane {
  /** Null between the end of one and the start of the next. */
  current: WorkerProcess | null = null;
  private readonly deps: LaneDeps;

  constructor(deps: LaneDeps) {
    this.deps = deps;
  }

  /** Until `stop` fires; the worker is left as it is. */
  async run(stop: AbortSignal): Promise<void> {
    let failures = 0;
    while (!stop.aborted) {
      this.current ??= this.deps.start();
      const worker = this.current;
      const began = performance.now();
      const { code, signal } = await worker.ended;
      // another has taken its place
      if (this.current !== worker) continue;
      this.current = null;
      if (stop.aborted) return;
      failures = performance.now() - began < STEADY_MS ? failures + 1 : 1;
      const ms = retryDelay(failures, this.deps.random());
      const { log, died } = this.deps;
      died();
      log.error('worker_died', { worker: worker.number, pid: worker.pid, code, signal, again_in_ms: ms });
      await sleep(ms, stop);
    }
  }

  /**
   * Starts another worker and, once that serves, ends the present one. If it does not come to serve, it is given up and the present one
   * stays. @returns whether it was replaced
   */
  async replace(stop: AbortSignal): Promise<boolean> {
    if (stop.aborted) return false;
    const fresh = this.deps.start();
    if (!(await fresh.ready(READY_MS, stop))) {
      const { missing } = fresh;
      await fresh.end('stop', GIVEN_UP_MS);
      if (!stop.aborted) this.deps.log.error('worker_given_up', { worker: fresh.number, missing });
      return false;
    }
    const old = this.current;
    this.current = fresh;
    if (old !== null && !(await old.end('replaced', REPLACED_MS)))
      this.deps.log.warn('worker_killed', { worker: old.number });
    return true;
  }
}
