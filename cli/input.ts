import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';

/** A file's bytes, or standard input's for `-`. A file that cannot be read is wrong usage: exit status 2. */
export async function readInput(path: string, command: Command): Promise<Buffer> {
  try {
    return path === '-' ? await buffer(process.stdin) : await readFile(path);
  } catch (error) {
    return wrongUsage(command, `cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Ends the command with exit status 2. */
export function wrongUsage(command: Command, message: string): never {
  return command.error(`error: ${message}`, { exitCode: 2 });
}

/** Runs a parser over an argument; what it throws is wrong usage. */
export function parsed<T>(command: Command, option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    return wrongUsage(command, `${option}: ${(error as Error).message}`);
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
