import { spawnSync } from 'node:child_process';
import {
  iptablesJump,
  iptablesRemoval,
  iptablesRules,
  nftRemoval,
  nftRules,
  type Redirect,
} from './rules.ts';

export type Backend = 'nft' | 'iptables';

/** The kernel's rules cannot be had or changed. */
export class FirewallError extends Error {}

export interface Firewall {
  /** What `apply` writes, for a person to read. */
  text(redirect: Redirect): string;
  /** Replaces our rules. @throws FirewallError, and then the rules are what they were, of nft; of iptables, as far as was come */
  apply(redirect: Redirect): void;
  /** Takes the rules of that table or chain away, if there are any. */
  remove(table: string): void;
}

/** nft where it works, else iptables, whichever kernel interface that one uses. @throws FirewallError when there is neither */
export function detectBackend(): Backend {
  if (run('nft', ['list', 'tables']).status === 0) return 'nft';
  const { status, said } = run('iptables', ['-t', 'nat', '-S', 'OUTPUT']);
  if (status === 0) return 'iptables';
  throw new FirewallError(`neither nft nor iptables can be used here: ${said}`);
}

export function firewall(backend: Backend): Firewall {
  return backend === 'nft' ? nft : iptables;
}

const nft: Firewall = {
  text: nftRules,
  apply: (redirect) => demand('nft', ['-f', '-'], nftRules(redirect)),
  remove(table) {
    if (run('nft', ['list', 'table', 'inet', table]).status === 0)
      demand('nft', ['-f', '-'], nftRemoval(table));
  },
};

const FAMILIES = [
  { tool: 'iptables', family: 4 },
  { tool: 'ip6tables', family: 6 },
] as const;

const iptables: Firewall = {
  text: (redirect) =>
    FAMILIES.map(({ tool, family }) => {
      const jump = `${tool} -t nat -A ${iptablesJump(redirect.table).join(' ')}`;
      return `# ${tool}-restore --noflush\n${iptablesRules(redirect, family)}# ${jump}\n`;
    }).join(''),
  apply(redirect) {
    for (const { tool, family } of FAMILIES) {
      demand(`${tool}-restore`, ['--noflush', ...PATIENCE], iptablesRules(redirect, family));
      if (!jumps(tool, redirect.table)) nat(tool, '-A', ...iptablesJump(redirect.table));
    }
  },
  remove(chain) {
    for (const { tool } of FAMILIES) {
      if (run(tool, [...NAT, '-S', chain]).status !== 0) continue;
      if (jumps(tool, chain)) nat(tool, '-D', ...iptablesJump(chain));
      for (const removal of iptablesRemoval(chain)) nat(tool, ...removal);
    }
  },
};

/** Of the sidecars of several services that a machine starts at once, one waits for the other. In seconds. */
const PATIENCE = ['-w', '10'];
const NAT = [...PATIENCE, '-t', 'nat'];

function jumps(tool: string, chain: string): boolean {
  return run(tool, [...NAT, '-C', ...iptablesJump(chain)]).status === 0;
}

function nat(tool: string, ...args: readonly string[]): void {
  demand(tool, [...NAT, ...args]);
}

function demand(tool: string, args: readonly string[], input = ''): void {
  const { status, said } = run(tool, args, input);
  if (status !== 0) throw new FirewallError(said);
}

/** Administrators' folders, which the PATH of a user may lack. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

function run(
  tool: string,
  args: readonly string[],
  input = '',
): { readonly status: number; readonly said: string } {
  const env = { ...process.env, PATH };
  const { status, stderr, error } = spawnSync(tool, args, { input, encoding: 'utf8', env, timeout: 30_000 });
  if (error !== undefined) return { status: 127, said: `${tool}: ${error.message}` };
  return { status: status ?? 1, said: `${tool}: ${stderr.trim() || `exit status ${status}`}` };
}
