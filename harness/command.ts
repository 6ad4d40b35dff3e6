import { startChild } from './child.ts';

/** Runs a short command to its end; what it printed. @throws with what it said when it fails */
export async function run(file: string, ...args: string[]): Promise<string> {
  const child = await startChild(file, args);
  child.stdin.end();
  const { code, signal } = await child.ended;
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} failed (${signal ?? code}):\n${child.stderr()}`);
  return child.stdout();
}
