import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

/** What to run; where it listens then. */
export type Program = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
  /** Processes that it starts itself. */
  readonly children?: number;
  /** What its output holds once it listens, for those who share a port. */
  readonly says?: string;
};

/** A program that runs until it is disposed of. */
export type Running = AsyncDisposable & {
  readonly port: number;
  /** Its own, then those of the processes it started. */
  readonly pids: readonly number[];
};

const PATIENCE_MS = 15_000;
const LOOK_MS = 25;

const live = new Set<ChildProcess>();
/** However we end, nothing that we started stays. */
process.on('exit', () => {
  for (const child of live) child.kill('SIGTERM');
});

/**
 * Starts a program, its output going to a file of its own, and waits until it accepts connections.
 * @throws Error with what it complained of when it does not
 */
export async function start(program: Program, folder: string): Promise<Running> {
  const log = join(folder, `${program.name}.log`);
  const fd = openSync(log, 'w');
  const child = spawn(program.command, program.args, {
    stdio: ['ignore', fd, fd],
    env: { ...process.env, ...program.env },
  });
  closeSync(fd);
  live.add(child);
  child.once('exit', () => live.delete(child));
  child.once('error', () => live.delete(child));
  try {
    await accepts(child, program, () => readFileSync(log, 'utf8'));
    return {
      port: program.port,
      pids: [child.pid!, ...childrenOf(child.pid!)],
      [Symbol.asyncDispose]: () => stop(child),
    };
  } catch (error) {
    await stop(child);
    const why = complaint(readFileSync(log, 'utf8')) ?? (error as Error).message;
    throw new Error(`${program.name} did not come up: ${why}`, { cause: error });
  }
}

/** Runs a command to its end and gives its standard output; some tell their version on the other. */
export async function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  live.add(child);
  let [text, complaint] = ['', ''];
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  live.delete(child);
  if (code !== 0) throw new Error(`${command} failed: ${complaint.trim()}`);
  return text || complaint;
}

function complaint(said: string): string | undefined {
  const lines = said.split('\n').map((line) => line.trim());
  return lines.find((line) => /error|emerg|alert|fatal/i.test(line)) ?? lines.findLast(Boolean);
}

async function accepts(child: ChildProcess, program: Program, said: () => string): Promise<void> {
  let failure: unknown;
  child.once('error', (error) => {
    failure = error;
  });
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended');
    const ready =
      (program.says === undefined || said().includes(program.says)) &&
      childrenOf(child.pid!).length >= (program.children ?? 0) &&
      (await connects(program.port));
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`nothing listens on port ${program.port}`);
}

async function connects(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const up = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  socket.destroy();
  return up;
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await once(child, 'exit');
  clearTimeout(timer);
}
