import { Command, CommanderError } from 'commander';
import { InputError, SignetError } from '../lib/errors.ts';

/** Each command is loaded when it is asked for: Vault's client alone takes longer to load than most commands to run. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import('./demo/index.ts')).demoCommand(),
  vault: async () => (await import('./vault.ts')).vaultCommand(),
  entry: async () => (await import('./entry.ts')).entryCommand(),
  service: async () => (await import('./service.ts')).serviceCommand(),
  grant: async () => (await import('./grant.ts')).grantCommand(),
  explain: async () => (await import('./explain.ts')).explainCommand(),
  delegate: async () => (await import('./delegate.ts')).delegateCommand(),
  policy: async () => (await import('./policy/index.ts')).policyCommand(),
  deny: async () => (await import('./deny.ts')).denyCommand(),
  audit: async () => (await import('./audit.ts')).auditCommand(),
  calls: async () => (await import('./calls.ts')).callsCommand(),
  svid: async () => (await import('./svid.ts')).svidCommand(),
  bundle: async () => (await import('./bundle.ts')).bundleCommand(),
  k8s: async () => (await import('./k8s/index.ts')).k8sCommand(),
};

const AFTER = `
processes, each configured by its environment:
  broker                 verifies workloads and gives grants (signet broker --help)
  sidecar                holds one workload's identity and proxies its requests (signet sidecar --help)

exit status: 0 fine, 1 refused or failed, 2 wrong usage`;

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('signet')
    .description('workload identity on HashiCorp Vault')
    .showSuggestionAfterError()
    .addHelpText('after', AFTER);
  const asked = argv[0] ?? '';
  const loaders = Object.hasOwn(COMMANDS, asked) ? [COMMANDS[asked]!] : Object.values(COMMANDS);
  for (const load of loaders) program.addCommand(await load());
  settle(program);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error);
  }
}

/** Commander's errors are thrown, not exits, all the way down. */
function settle(command: Command): void {
  command.exitOverride();
  for (const sub of command.commands) settle(sub);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof InputError) {
    for (const { pointer, message } of error.defects)
      process.stderr.write(`signet: ${pointer || '/'} ${message}\n`);
    return 2;
  }
  const code = error instanceof SignetError ? ` (${error.code})` : '';
  process.stderr.write(`signet: ${error instanceof Error ? error.message : String(error)}${code}\n`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2));
