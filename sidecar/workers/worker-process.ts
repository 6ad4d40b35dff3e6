import { type ChildProcess, fork } from 'node:child_process';
import type { Readable } from 'node:stream';
import { type Order, type Question, readFromWorker, type ToWorker } from './messages.ts';

/** How a worker ended: its exit status, or the signal that ended it, or neither when it could not be started. */
export type Ending = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** One process that serves, as its supervisor sees it. */
export interface WorkerProcess {
  /** No other that lives has it, so its audit is this worker's alone. */
  readonly number: number;
  readonly pid: number | undefined;
  /** What it lacks before it can serve; `worker` alone before it said anything, and after its end. */
  readonly missing: readonly string[];
  readonly ended: Promise<Ending>;
  /** Settles when it can serve, or when it cannot be waited for: it ended, `ms` passed, or `signal` fired. @returns whether it can */
  ready(ms: number, signal: AbortSignal): Promise<boolean>;
  /** Its answer; undefined when none comes within `ms`. */
  ask(question: Question, ms: number): Promise<unknown>;
  tell(order: Order): void;
  /** Tells it to end, and ends it after `ms`. @returns whether it ended by itself */
  end(order: 'stop' | 'replaced', ms: number): Promise<boolean>;
  /** At once. */
  kill(): void;
}

export type WorkerDeps = {
  readonly number: number;
  /** Takes what it writes to standard output; left out, it writes to ours. */
  readonly output?: (stream: Readable) => void;
  /** Told when something else is missing. */
  readonly changed: () => void;
};

const UNKNOWN = ['worker'];

/** Starts this very program once more, with our environment. */
export function startWorker({ number, output, changed }: WorkerDeps): WorkerProcess {
  const child = fork(process.argv[1]!, ['worker', String(number)], {
    stdio: ['ignore', output === undefined ? 'inherit' : 'pipe', 'inherit', 'ipc'],
  });
  if (child.stdout !== null) output?.(child.stdout);
  const waiting = new Map<number, (value: unknown) => void>();
  const looks = new Set<() => void>();
  let missing: readonly string[] = UNKNOWN;
  let asked = 0;
  let over = false;
  const lacks = (words: readonly string[]) => {
    missing = words;
    for (const look of looks) look();
    changed();
  };
  child.on('message', (text) => {
    const message = readFromWorker(text);
    if (message === null || over) return;
    if ('missing' in message) lacks(message.missing);
    else waiting.get(message.id)?.(message.value);
  });
  const ended = endingOf(child).then((ending) => {
    over = true;
    for (const give of waiting.values()) give(undefined);
    lacks(UNKNOWN);
    return ending;
  });
  const send = (message: ToWorker) => {
    // one that has ended since is told of by `ended`
    if (child.connected) child.send(message, () => {});
  };
  const tell = (order: Order) => send({ order });
  return {
    number,
    pid: child.pid,
    get missing() {
      return missing;
    },
    ended,
    ready: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => settle(false), ms);
        const settle = (ready: boolean) => {
          clearTimeout(timer);
          looks.delete(look);
          signal.removeEventListener('abort', stop);
          resolve(ready);
        };
        const look = () => {
          if (missing.length === 0 || over) settle(!over);
        };
        const stop = () => settle(false);
        looks.add(look);
        signal.addEventListener('abort', stop);
        if (signal.aborted) stop();
        else look();
      }),
    async ask(question, ms) {
      if (over) return undefined;
      const id = ++asked;
      const { promise, resolve } = Promise.withResolvers<unknown>();
      waiting.set(id, resolve);
      const timer = setTimeout(resolve, ms);
      send({ id, ask: question });
      const value = await promise;
      clearTimeout(timer);
      waiting.delete(id);
      return value;
    },
    tell,
    async end(order, ms) {
      tell(order);
      const late = setTimeout(() => child.kill('SIGKILL'), ms);
      const { signal } = await ended;
      clearTimeout(late);
      return signal !== 'SIGKILL';
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
    child.on('error', () => {
      // a message that could not be sent is told so too
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
}
