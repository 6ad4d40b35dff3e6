import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** Runs `signet` as a process of its own and waits for its end. */
export async function signet(
  args: readonly string[],
  options: { input?: string | Uint8Array; cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env },
  });
  child.stdin.on('error', () => {}).end(options.input ?? '');
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { status: status as number, stdout, stderr };
}
