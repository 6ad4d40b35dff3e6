import { Command } from 'commander';
import { VaultError, withToken } from '../lib/adapter/vault.ts';
import { Secret } from '../lib/secret.ts';
import {
  applyLayout,
  type Change,
  examineVault,
  planLayout,
  readActual,
  type VaultPort,
} from '../lib/vault-layout/index.ts';
import { count, showReport } from './report.ts';
import { openVault, VAULT_ENVIRONMENT } from './vault-config.ts';
import { credentialInFile, wrappedCredential } from './vault-credential.ts';
import { type LayoutFlags, layoutOf, textIn, withLayoutFlags } from './vault-layout.ts';

type ApplyFlags = LayoutFlags & {
  readonly dryRun?: boolean;
  readonly signedIntermediate?: string;
  readonly kubernetesReviewer?: string;
  readonly json?: boolean;
};

/** `signet vault`: the layout of a trust domain's Vault, shown, applied and checked; and the credential that a broker logs in with. */
export function vaultCommand(): Command {
  const command = new Command('vault').description("set up and check a trust domain's Vault");
  withLayoutFlags(command.command('plan'))
    .description('show what apply would change')
    .option('--signed-intermediate <file>', 'as for apply')
    .option('--kubernetes-reviewer <file>', 'as for apply')
    .option('--json', 'for machines')
    .addHelpText('after', VAULT_ENVIRONMENT)
    .action((flags: ApplyFlags) => inVault((vault) => apply(vault, { ...flags, dryRun: true })));
  withLayoutFlags(command.command('apply'))
    .description('bring Vault to the layout; run again, it changes nothing')
    .option(
      '--signed-intermediate <file>',
      'an issuing CA signed outside, with its chain up to the root (PEM)',
    )
    .option(
      '--kubernetes-reviewer <file>',
      'with a Vault outside of the cluster: the token in whose name it asks the API server about others',
    )
    .option('--dry-run', 'show what would be changed, and change nothing')
    .option('--json', 'for machines')
    .addHelpText('after', VAULT_ENVIRONMENT)
    .action((flags: ApplyFlags) => inVault((vault) => apply(vault, flags)));
  withLayoutFlags(command.command('doctor'))
    .description(
      'hold Vault against the layout: each fault, what it lets an attacker do, and the fix; exits 1 if there is any',
    )
    .option('--json', 'for machines')
    .addHelpText('after', VAULT_ENVIRONMENT)
    .action((flags: LayoutFlags & { json?: boolean }) => inVault((vault) => doctor(vault, flags)));
  command
    .command('broker-credential')
    .description(
      'a new credential for a broker: prints its role_id, and puts the secret_id where only you say',
    )
    .option(
      '--out <file>',
      'write the secret_id to this file, readable by you alone; never over an existing one',
    )
    .option('--wrap <ttl>', 'print the secret_id wrapped: a token that gives it out once, within this time')
    .addHelpText('after', VAULT_ENVIRONMENT)
    .action(brokerCredential);
  return command;
}

async function apply(vault: VaultPort, flags: ApplyFlags): Promise<void> {
  const layout = await layoutOf(flags, vault);
  const options = {
    now: new Date(),
    ...(flags.signedIntermediate === undefined
      ? {}
      : { signedIntermediate: textIn(flags.signedIntermediate, '--signed-intermediate') }),
    ...(flags.kubernetesReviewer === undefined
      ? {}
      : {
          kubernetesReviewer: new Secret(textIn(flags.kubernetesReviewer, '--kubernetes-reviewer').trim()),
        }),
  };
  const say = (change: Change) => {
    if (!flags.json) print(`${SIGNS[change.kind]} ${change.summary}`);
  };
  if (flags.dryRun) {
    const changes = planLayout(await readActual(vault, layout), layout, options);
    changes.forEach(say);
    if (flags.json) print(JSON.stringify({ changes: changes.map(plain) }));
    else print(changes.length === 0 ? 'no changes' : `${count(changes.length, 'change')} to make`);
    return;
  }
  const { changes, csr } = await applyLayout(vault, layout, { ...options, onChange: say });
  if (flags.json)
    return print(JSON.stringify({ changes: changes.map(plain), ...(csr === undefined ? {} : { csr }) }));
  print(changes.length === 0 ? 'no changes' : `${count(changes.length, 'change')} made`);
  if (csr !== undefined) {
    print(
      `\nhave the keeper of the root sign this request as a CA of path length 0 with the URI SAN spiffe://${layout.trustDomain},`,
    );
    print(
      `then run apply again with --signed-intermediate FILE (the certificate, and those above it up to the root)\n\n${csr.trim()}`,
    );
  }
}

const SIGNS = { create: '+', change: '~', remove: '-' } as const;

function plain({ kind, summary }: Change): Change {
  return { kind, summary };
}

async function doctor(vault: VaultPort, flags: LayoutFlags & { json?: boolean }): Promise<void> {
  const layout = await layoutOf(flags, vault);
  const report = await examineVault(vault, layout, { now: new Date(), nodeVersion: process.versions.node });
  if (flags.json) print(JSON.stringify(report));
  else showReport(report, print);
  if (report.findings.length > 0) process.exitCode = 1;
}

/** @throws CommanderError (wrong usage) unless the secret_id is sent to exactly one place */
async function brokerCredential(
  { out, wrap }: { out?: string; wrap?: string },
  command: Command,
): Promise<void> {
  if ((out === undefined) === (wrap === undefined)) {
    command.error('error: give either --out <file> or --wrap <ttl>');
  }
  using session = openVault(process.env);
  const lines = await explained(
    wrap === undefined ? credentialInFile(session, out ?? '') : wrappedCredential(session, wrap),
  );
  for (const line of lines) print(line);
}

async function inVault(work: (vault: VaultPort) => Promise<void>): Promise<void> {
  using session = openVault(process.env);
  await explained(work(withToken(session.vault, session.token)));
}

/** Whoever typed the command sees Vault's own words: they may quote what was sent, which here is no secret. */
async function explained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof VaultError) {
      const says = error.says.reveal().replaceAll(/\s+/g, ' ').trim();
      if (says !== '') throw new VaultError(error.code, `${error.message}: ${says}`, { cause: error });
    }
    throw error;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
