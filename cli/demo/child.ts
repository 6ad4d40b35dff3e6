import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** One line of a child's structured log. */
export type ChildEvent = Readonly<Record<string, unknown>> & { readonly event: string };

/** A process of ours: its events as they come, and its end. */
export interface Child extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly events: readonly ChildEvent[];
  readonly exited: Promise<number>;
  /**
   * The next event of this name that `fits`, looking from the `from`-th event on (0, all of them, unless told).
   * @throws Error when the child ends first or `timeoutMs` (20,000) pass, with the end of its log
   */
  waitFor(event: string, options?: WaitOptions): Promise<ChildEvent>;
  /** SIGTERM, and SIGKILL after 10 s. Gives the exit code (128 + n for a signal). */
  stop(): Promise<number>;
}

export type WaitOptions = {
  readonly fits?: (event: ChildEvent) => boolean;
  readonly from?: number;
  readonly timeoutMs?: number;
};

const KEPT_LINES = 2000;
const STOP_MS = 10_000;

/** Starts a program with exactly this environment; nothing of ours leaks into it but PATH. */
export function startChild(
  name: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Child {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: ChildEvent[] = [];
  const tail: string[] = [];
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const look of [...watchers]) look();
  };
  const take = (line: string) => {
    tail.push(line);
    if (tail.length > KEPT_LINES) tail.shift();
    const event = parseEvent(line);
    if (event !== undefined) events.push(event);
    wake();
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', take);
  let ended = false;
  const exited = new Promise<number>((resolve) => {
    const end = (code: number) => {
      ended = true;
      resolve(code);
      wake();
    };
    child.on('error', () => end(127));
    child.on('close', (code, signal) => end(code ?? (signal === 'SIGKILL' ? 137 : 143)));
  });

  const waitFor = (event: string, { fits = () => true, from = 0, timeoutMs = 20_000 }: WaitOptions = {}) =>
    new Promise<ChildEvent>((resolve, reject) => {
      let next = from;
      const finish = (act: () => void) => {
        clearTimeout(timer);
        watchers.delete(look);
        act();
      };
      const look = () => {
        for (; next < events.length; next++) {
          const found = events[next]!;
          if (found.event === event && fits(found)) return finish(() => resolve(found));
        }
        if (ended)
          finish(() => reject(new Error(`${name} ended before "${event}":\n${tail.slice(-15).join('\n')}`)));
      };
      const timer = setTimeout(() => {
        finish(() =>
          reject(new Error(`no "${event}" from ${name} in ${timeoutMs} ms:\n${tail.slice(-15).join('\n')}`)),
        );
      }, timeoutMs);
      watchers.add(look);
      look();
    });

  const stop = async () => {
    if (!ended) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const code = await exited;
    clearTimeout(timer);
    return code;
  };

  return {
    name,
    pid: child.pid ?? -1,
    events,
    exited,
    waitFor,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** Runs a program to its end. */
export async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

function parseEvent(line: string): ChildEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string'
      ? (value as ChildEvent)
      : undefined;
  } catch {
    return undefined;
  }
}
