import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

/** What to run; where it listens then. */
export type Program = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
};

/** A program that runs until it is disposed of. */
export type Running = AsyncDisposable & {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
};

const PATIENCE_MS = 15_000;

/** Starts a program, its output going to a file of its own, and waits until it accepts connections. */
export async function start(program: Program, folder: string): Promise<Running> {
  const log = join(folder, `${program.name}.log`);
  const fd = openSync(log, 'w');
  const child = spawn(program.command, program.args, {
    stdio: ['ignore', fd, fd],
    env: { ...process.env, ...program.env },
  });
  closeSync(fd);
  const running = {
    name: program.name,
    pid: child.pid ?? 0,
    port: program.port,
    [Symbol.asyncDispose]: () => stop(child),
  };
  try {
    await accepts(child, program.port);
    return running;
  } catch (error) {
    await stop(child);
    throw new Error(`${program.name} did not come up; see ${log}`, { cause: error });
  }
}

/** Runs a command to its end and gives its standard output. */
export async function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [text, complaint] = ['', ''];
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} failed: ${complaint.trim()}`);
  return text + complaint;
}

async function accepts(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await once(child, 'exit');
  clearTimeout(timer);
}
