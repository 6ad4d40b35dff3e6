import type { Readable } from 'node:stream';
import type { Log } from '../../lib/adapter/log.ts';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import type { Jwk, Jwks } from '../../lib/assertion/index.ts';
import type { Outcome } from '../controls.ts';
import { Lane } from './lane.ts';
import { mergedMetrics } from './merged-metrics.ts';
import type { Question } from './messages.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

export type CrewDeps = {
  /** How many serve. */
  readonly workers: number;
  /** Takes what they write to standard output; left out, that is ours. */
  readonly output?: (stream: Readable) => void;
  readonly log: Log;
  readonly stop: AbortSignal;
};

/** One that is too busy to answer for so long is left out of what is shown. */
const SHOWN_MS = 2_000;
const ROTATED_MS = 60_000;

/** All workers of a sidecar. */
export class Crew {
  /** Told when something else is missing. */
  onChange: () => void = () => {};
  private readonly deps: CrewDeps;
  private readonly lanes: Lane[];
  /** Those that live, by their number: also the one that is to replace another, and one that drains. */
  private readonly living = new Map<number, WorkerProcess>();
  private readonly registry = createMetrics();
  private readonly running = this.registry.gauge('signet_workers', 'Worker processes that live');
  private readonly deaths = this.registry.counter(
    'signet_worker_deaths_total',
    'Workers that ended without being asked to',
  );
  private readonly restarts = this.registry.counter(
    'signet_worker_restarts_total',
    'Workers that were replaced on request, by result',
  );
  private begun = false;
  private restarting = false;

  constructor(deps: CrewDeps) {
    this.deps = deps;
    this.lanes = Array.from({ length: deps.workers }, () => this.lane());
  }

  /** Keeps all of them running, until it is to stop. */
  async run(): Promise<void> {
    this.begun = true;
    await Promise.all(this.lanes.map((lane) => lane.run(this.deps.stop)));
  }

  /** What any of those lacks that shall serve now. */
  get missing(): string[] {
    return [...new Set(this.lanes.flatMap(({ current }) => current?.missing ?? ['worker']))];
  }

  reload(): void {
    for (const worker of this.living.values()) worker.tell('reload');
  }

  /** Replaces one after the other; ends with the first that cannot be replaced. */
  async restart(): Promise<Outcome & { readonly replaced: number; readonly code?: string }> {
    const { log, stop } = this.deps;
    const busy = stop.aborted ? 'stopping' : !this.begun ? 'starting' : this.restarting ? 'restarting' : null;
    if (busy !== null) return { ok: false, code: busy, replaced: 0 };
    this.restarting = true;
    log.info('restart');
    let replaced = 0;
    try {
      for (const lane of this.lanes) {
        const done = await lane.replace(stop);
        this.restarts.add(1, { result: done ? 'replaced' : 'given_up' });
        if (!done) return { ok: false, code: 'worker_not_ready', replaced };
        replaced++;
      }
      log.info('restarted', { workers: replaced });
      return { ok: true, replaced };
    } finally {
      this.restarting = false;
    }
  }

  async rotate(): Promise<Outcome & { readonly workers: readonly object[] }> {
    const answers = await this.askAll('rotate', ROTATED_MS);
    const workers = answers.map(([worker, answer]) => ({ worker, ok: false, ...asObject(answer) }));
    return { ok: workers.length > 0 && workers.every(({ ok }) => ok === true), workers };
  }

  async status(): Promise<object[]> {
    const answers = await this.askAll('status', SHOWN_MS);
    return answers.map(([worker, answer]) => ({
      worker,
      pid: this.living.get(worker)?.pid ?? null,
      ...asObject(answer),
    }));
  }

  /** The keys of all: requests to the app come from any of them. */
  async jwks(): Promise<Jwks> {
    const keys = new Map<string, Jwk>();
    for (const [, answer] of await this.askAll('jwks', SHOWN_MS)) {
      const { keys: its } = asObject(answer) as Partial<Jwks>;
      if (Array.isArray(its)) for (const key of its) keys.set(key.kid, key);
    }
    return { keys: [...keys.values()] };
  }

  async metrics(): Promise<string> {
    const texts = new Map<number, string>();
    for (const [worker, answer] of await this.askAll('metrics', SHOWN_MS))
      if (typeof answer === 'string') texts.set(worker, answer);
    return this.registry.render() + mergedMetrics(texts);
  }

  /** Has all of them drain and end, and ends those that do not within `ms`. */
  async end(ms: number): Promise<void> {
    const ending = [...this.living.values()].map(async (worker) => {
      if (!(await worker.end('stop', ms))) this.deps.log.warn('worker_killed', { worker: worker.number });
    });
    await Promise.all(ending);
  }

  kill(): void {
    for (const worker of this.living.values()) worker.kill();
  }

  private lane(): Lane {
    return new Lane({
      log: this.deps.log,
      start: () => this.start(),
      died: () => this.deaths.add(),
      random: Math.random,
    });
  }

  /** With the least number that is free: the audits are as many as live at once, one more than serve. */
  private start(): WorkerProcess {
    let number = 1;
    while (this.living.has(number)) number++;
    const { output } = this.deps;
    const worker = startWorker({
      number,
      changed: () => this.onChange(),
      ...(output === undefined ? {} : { output }),
    });
    this.living.set(number, worker);
    this.running.set(this.living.size);
    void worker.ended.then(() => {
      this.living.delete(number);
      this.running.set(this.living.size);
    });
    this.deps.log.info('worker_started', { worker: number, pid: worker.pid });
    return worker;
  }

  private askAll(question: Question, ms: number): Promise<[number, unknown][]> {
    const asked = [...this.living].map(
      async ([number, worker]): Promise<[number, unknown]> => [number, await worker.ask(question, ms)],
    );
    return Promise.all(asked);
  }
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
