import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

const keptOutput = 256 * 1024;
const running = new Set<ChildProcess>();

// A test run that ends early, by a failure or a signal, leaves nothing behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** How a child ended: its exit status, or the signal that ended it. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running program. Its output is kept in memory, for a failing test to show. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Settles when the program has ended and its output has been read to the end. */
  readonly ended: Promise<Ending>;
  readonly stdin: Writable;
  /** What it wrote so far: the last 256 KiB of each stream. */
  stdout(): string;
  stderr(): string;
  /** `feed` is called with each line of stderr as it comes, past ones first. */
  onErrorLine(feed: (line: string) => void): void;
  send(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `patience` ms. Harmless on a child that has ended. */
  stop(patience?: number): Promise<Ending>;
  /** SIGKILL at once. */
  kill(): Promise<Ending>;
}

/** Starts a program; it is killed at the latest when this process ends. @throws when it cannot be started */
export async function startChild(
  file: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<Child> {
  const child = spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error('a piped child has all three streams');
  running.add(child);
  stdin.on('error', () => {}); // a child may end before it has read what it was sent
  const out = keep(stdout);
  const err = keep(stderr);
  const ended = new Promise<Ending>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const stop = async (patience = 10_000): Promise<Ending> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), patience);
    return ended.finally(() => clearTimeout(timer));
  };
  return {
    pid: child.pid as number,
    ended,
    stdin,
    stdout: out.text,
    stderr: err.text,
    onErrorLine: err.onLine,
    send: (signal) => void child.kill(signal),
    stop,
    kill: () => {
      child.kill('SIGKILL');
      return ended;
    },
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

/** Keeps what a stream says, and tells it line by line. */
function keep(stream: NodeJS.ReadableStream) {
  let all = '';
  let rest = '';
  const feeds: ((line: string) => void)[] = [];
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    all = (all + chunk).slice(-keptOutput);
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) for (const feed of feeds) feed(line);
  });
  return {
    text: () => all,
    onLine: (feed: (line: string) => void) => {
      for (const line of all
        .slice(0, all.length - rest.length)
        .split('\n')
        .filter(Boolean))
        feed(line);
      feeds.push(feed);
    },
  };
}
