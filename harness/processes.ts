import { fileURLToPath } from 'node:url';
import { type Child, type Ending, startChild } from './child.ts';

const launcher = fileURLToPath(new URL('../bin/signet.mjs', import.meta.url));

export interface ProcessOptions {
  /** What follows `signet`, such as `['sidecar']`. */
  readonly args: readonly string[];
  /** A script to run instead of `signet`. */
  readonly script?: string;
  /** All of `SIGNET_*` and `VAULT_*` that it sees; the rest of the environment is ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command and its arguments that run the program inside of something, such as `['chroot', …]`. */
  readonly inside?: readonly string[];
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  readonly cwd?: string;
}

/** One line of a program's JSON log. */
export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A running `signet …`, or another program that logs as it does. */
export interface LoggingProcess extends Child {
  /** The JSON lines of stderr so far. */
  logs(): readonly LogLine[];
  /** The first line of that event, past or to come. @throws with all output when the program ends or `patience` ms pass first */
  waitForEvent(event: string, accept?: (line: LogLine) => boolean, patience?: number): Promise<LogLine>;
  /** As `waitForEvent`, of lines that come from now on only. */
  nextEvent(event: string, patience?: number): Promise<LogLine>;
  /** The address of its listener: `broker`, `admin`, `inbound` or `outbound`. */
  addressOf(what: string): Promise<string>;
}

/** Starts a program of ours as a user would. */
export async function startProcess(options: ProcessOptions): Promise<LoggingProcess> {
  const [command, ...line] = [
    ...(options.inside ?? []),
    ...[process.execPath, options.script ?? launcher, ...options.args],
  ] as [string, ...string[]];
  const child = await startChild(command, line, {
    env: environment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  child.stdin.end(options.input);

  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  child.onErrorLine((text) => {
    const line = parseLine(text);
    if (!line) return;
    lines.push(line);
    for (const look of waiting) look();
  });

  const waitForEvent: LoggingProcess['waitForEvent'] = (event, accept = () => true, patience = 10_000) =>
    new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      const fail = (why: string) => {
        finish();
        const output = `${child.stdout()}${child.stderr()}`;
        reject(
          new Error(`signet ${options.args.join(' ')} ${why} before "${event}"; its output:\n${output}`),
        );
      };
      const look = () => {
        const line = lines.find((each) => each.event === event && accept(each));
        if (!line) return;
        finish();
        resolve(line);
      };
      const timer = setTimeout(() => fail(`took over ${patience} ms`), patience);
      waiting.add(look);
      look();
      void child.ended.then(({ code, signal }) => waiting.has(look) && fail(`ended (${signal ?? code})`));
    });

  return {
    ...child,
    logs: () => lines,
    waitForEvent,
    nextEvent: (event, patience) => {
      const past = new Set(lines);
      return waitForEvent(event, (line) => !past.has(line), patience);
    },
    addressOf: async (what) => {
      const { address } = await waitForEvent('listening', (line) => line['what'] === what);
      return String(address);
    },
  };
}

/** Runs a program of ours to its end. */
export async function runProcess(
  options: ProcessOptions,
): Promise<Ending & { stdout: string; stderr: string }> {
  const child = await startProcess(options);
  return { ...(await child.ended), stdout: child.stdout(), stderr: child.stderr() };
}

/** What a developer has set for Signet or Vault must not reach a test's processes. */
function environment(given: Readonly<Record<string, string>> = {}) {
  const ours = Object.entries(process.env).filter(([name]) => !/^(SIGNET|VAULT)_/.test(name));
  return { ...Object.fromEntries(ours), ...given };
}

function parseLine(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text);
    return typeof line?.event === 'string' ? line : undefined;
  } catch {
    return undefined;
  }
}
