import { runProcess } from '../../harness/processes.ts';

type Env = Readonly<Record<string, string>>;

/** Runs `signet` with these arguments, as a user would. */
export type Cli = (
  args: readonly string[],
  env?: Env,
) => Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;

export function commandLine(base: Env): Cli {
  return (args, env = {}) => runProcess({ args, env: { ...base, ...env } });
}

/** What it wrote. @throws when it failed */
export async function must(result: ReturnType<Cli>, what: string): Promise<string> {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(`signet ${what} ended with ${code}:\n${stderr || stdout}`);
  return stdout;
}
