import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { type Backend, detectBackend, FirewallError, firewall } from './firewall.ts';
import { LONGEST_NAME, type Redirect, tableOf } from './rules.ts';

const USAGE = `usage: signet sidecar iptables --apply|--print|--remove [options]

Sends the TCP connections that this machine, or one of its users, begins to the sidecar's transparent listener
(SIGNET_TRANSPARENT), by rules of a table or chain of its own, called signet, or signet_NAME with --name. Left alone
are loopback and what the sidecar itself calls.

  --apply                  write the rules; again, it replaces them
  --print                  show them
  --remove                 take them away; fine if there are none
  --uid UID                the sidecar's user, as a number; may be repeated (required, but for --remove
                           and with --from-uid)
  --from-uid UID           an app's user, as a number; may be repeated. The connections of all others are left alone
  --name NAME              the service that the rules are for, where several share the machine: a-z, 0-9 and -, at most
                           ${LONGEST_NAME}; goes with --from-uid. --remove then removes the rules of that service alone
  --outbound-port PORT     the port of SIGNET_TRANSPARENT (default 15006)
  --exclude-ports LIST     destination ports left alone, such as 22,53
  --exclude-cidr LIST      destination networks left alone, such as 10.96.0.0/12,fd00::/8
  --backend nft|iptables   instead of nft where it works, else iptables

exit status: 0 fine, 1 refused or failed, 2 wrong usage
`;

class UsageError extends Error {}

/** `signet sidecar iptables`. @returns the exit status */
export function redirectCommand(argv: readonly string[]): number {
  try {
    const { action, backend, redirect } = parse(argv);
    if (action === 'help') process.stdout.write(USAGE);
    else if (action === 'remove')
      for (const each of ['nft', 'iptables'] as const) firewall(each).remove(redirect.table);
    else {
      const wall = firewall(backend ?? detectBackend());
      if (action === 'print') process.stdout.write(wall.text(redirect));
      else wall.apply(redirect);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof FirewallError)) throw error;
    process.stderr.write(`signet sidecar iptables: ${error.message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

type Asked = {
  readonly action: 'apply' | 'print' | 'remove' | 'help';
  readonly backend: Backend | undefined;
  readonly redirect: Redirect;
};

function parse(argv: readonly string[]): Asked {
  const values = read(argv);
  const actions = (['apply', 'print', 'remove', 'help'] as const).filter((name) => values[name] === true);
  const [action, ...others] = actions;
  if (action === undefined || others.length > 0)
    throw new UsageError('say one of --apply, --print and --remove');
  const { backend } = values;
  if (backend !== undefined && backend !== 'nft' && backend !== 'iptables')
    throw new UsageError('--backend is nft or iptables');
  const uids = users(values.uid, '--uid');
  const fromUids = users(values['from-uid'], '--from-uid');
  const redirects = action === 'apply' || action === 'print';
  if (redirects && uids.length + fromUids.length === 0)
    throw new UsageError('--uid is missing: without it the sidecar would call itself');
  const both = fromUids.find((uid) => uids.includes(uid));
  if (both !== undefined) throw new UsageError(`${both} is given to --uid and to --from-uid`);
  if (redirects && values.name !== undefined && fromUids.length === 0)
    throw new UsageError('--name without --from-uid: the rules of one service would take the calls of all');
  const redirect = {
    table: tableOf(serviceName(values.name)),
    port: number(values['outbound-port'] ?? '15006', '--outbound-port', 1, 65_535),
    uids,
    fromUids,
    excludedPorts: list(values['exclude-ports']).map((port) => number(port, '--exclude-ports', 1, 65_535)),
    excludedNetworks: list(values['exclude-cidr']).map(network),
  };
  return { action, backend, redirect };
}

function read(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        apply: { type: 'boolean' },
        print: { type: 'boolean' },
        remove: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        uid: { type: 'string', multiple: true },
        'from-uid': { type: 'string', multiple: true },
        name: { type: 'string' },
        'outbound-port': { type: 'string' },
        'exclude-ports': { type: 'string' },
        'exclude-cidr': { type: 'string' },
        backend: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function list(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').map((part) => part.trim());
}

function users(given: readonly string[] | undefined, option: string): number[] {
  return [...new Set((given ?? []).map((uid) => number(uid, option, 0, 0xffff_fffe)))];
}

function serviceName(text: string | undefined): string | undefined {
  if (text === undefined || (text.length <= LONGEST_NAME && /^[a-z0-9-]+$/.test(text))) return text;
  throw new UsageError(`--name is not 1 to ${LONGEST_NAME} of a-z, 0-9 and -`);
}

function number(text: string, option: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value < least || value > most)
    throw new UsageError(`${option} is not a number from ${least} to ${most}`);
  return value;
}

function network(text: string): string {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  if (family === 0 || rest.length > 0)
    throw new UsageError('--exclude-cidr is not a network such as 10.0.0.0/8');
  return bits === undefined
    ? address
    : `${address}/${number(bits, '--exclude-cidr, after the slash,', 0, most)}`;
}
