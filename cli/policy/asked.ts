import type { Command } from 'commander';
import { PolicyError, type PolicyRequest, parseCaller, pathFlaw, type User } from '../../lib/policy/index.ts';
import { parseClaims, parseRequest, parseUser, policyRequest } from '../../lib/policy/suite/index.ts';
import { parsed, readInput, wrongUsage } from '../input.ts';

/** A request, as options of the command line say it. */
export type AskedOptions = {
  readonly caller?: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly host?: string;
  readonly header?: readonly string[];
  readonly user?: string;
  readonly claims?: string;
  readonly source?: string;
  readonly protocol?: string;
  readonly size?: string;
  readonly chain?: readonly string[];
  readonly risk?: string;
  readonly time?: string;
};

export function withAskedOptions(command: Command): Command {
  return command
    .option('--caller <id>', "the caller's SPIFFE ID, or anonymous for one without")
    .option('--method <method>', 'the HTTP method')
    .option('--path <path>', 'the path, without query')
    .option('--query <query>', 'the query, without its question mark')
    .option('--host <host>', 'the host that is asked for')
    .option('--header <line...>', 'header lines: "name: value"')
    .option('--user <json>', 'the end user as suites write one: a file, or JSON itself')
    .option('--claims <json>', "the end user by a token's claims: a file, or JSON itself")
    .option('--source <address>', "the caller's IP address")
    .option('--protocol <name>', 'http/1.0, http/1.1, h2, websocket or tcp')
    .option('--size <bytes>', 'the size of the body')
    .option('--chain <id...>', 'who started it, then each service it passed, the caller left out')
    .option('--risk <score>', 'the risk score, 0 to 100')
    .option('--time <time>', 'when, such as 2026-03-02T10:00:00Z; otherwise now');
}

/** What is wrong with an option is wrong usage. */
export async function askedRequest(options: AskedOptions, command: Command): Promise<PolicyRequest> {
  const { caller, method, path } = options;
  for (const name of ['caller', 'method', 'path'] as const)
    if (options[name] === undefined) wrongUsage(command, `--${name} is needed, or --decision`);
  const asker = parsed(command, '--caller', () => parseCaller(caller!));
  const flaw = pathFlaw(path!);
  if (flaw !== null)
    wrongUsage(command, `--path: policy never sees ${JSON.stringify(path)}: expected ${flaw}`);
  const { query, host, source, protocol, chain, risk, size, time } = options;
  const given = {
    ...{ method, path, query, host, source, protocol, chain, time },
    ...{ risk: numberOf(risk), size: numberOf(size), headers: headersOf(options.header, command) },
  };
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const request = readOption(command, () => parseRequest(said, '--'));
  return policyRequest(request, asker, await userOf(options, command), new Date());
}

async function userOf({ user, claims }: AskedOptions, command: Command): Promise<User | null> {
  if (user !== undefined && claims !== undefined) wrongUsage(command, '--user and --claims both name a user');
  const named = user ?? claims;
  if (named === undefined) return null;
  const option = user === undefined ? '--claims' : '--user';
  const value = await jsonOf(named, option, command);
  const parse = user === undefined ? parseClaims : parseUser;
  return readOption(command, () => parse(value, option));
}

async function jsonOf(given: string, option: string, command: Command): Promise<unknown> {
  const text = given.trimStart().startsWith('{') ? given : (await readInput(given, command)).toString();
  try {
    return JSON.parse(text);
  } catch {
    return wrongUsage(command, `${option}: not JSON`);
  }
}

/** A text that is no number stays one, and is refused with the others. */
function numberOf(text: string | undefined): unknown {
  return text === undefined || text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
}

/** Several lines of one name are one value, as the data plane joins them. */
function headersOf(lines: readonly string[] | undefined, command: Command): object | undefined {
  if (lines === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      return wrongUsage(command, '--header: a line is "name: value"');
    const key = name.toLowerCase();
    headers.set(key, headers.has(key) ? `${headers.get(key)}, ${value}` : value);
  }
  return Object.fromEntries(headers);
}

function readOption<T>(command: Command, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const [first] = error.defects;
    const place = `${first?.file}${first?.pointer}`.replace('--/', '--');
    return wrongUsage(command, `${place}: found ${first?.found}, expected ${first?.expected}`);
  }
}
