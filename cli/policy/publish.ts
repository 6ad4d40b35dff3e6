import type { Command } from 'commander';
import { BROKER_ENVIRONMENT, VAULT_ENVIRONMENT } from '../environment.ts';

/** Adds `publish`, `rollback` and `status`: policies that brokers hand out and sidecars verify. */
export function addPublishing(policy: Command): void {
  policy
    .command('publish')
    .description(
      'sign policy files with your own Vault token and publish them: all there shall be from now on',
    )
    .argument('<file...>', 'policy files, and folders of them; - for standard input')
    .option('--above <version>', 'give it a higher version than this one (after a Vault was restored)')
    .option('--if-changed', 'publish nothing when these very documents are published already')
    .option('--dry-run', 'tell what would change, and publish nothing')
    .option('--token-stdin', 'take the token from the first line of standard input, not from VAULT_TOKEN')
    .option('--json', 'print one JSON object')
    .addHelpText('after', VAULT_ENVIRONMENT)
    .action(async (files: string[], options, command) =>
      (await actions()).publishFiles(files, options, command),
    );
  policy
    .command('rollback')
    .description('publish an earlier version again, as a new one')
    .argument('[version]', 'the version to go back to; without it, the one before')
    .option('--above <version>', 'give it a higher version than this one (after a Vault was restored)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', VAULT_ENVIRONMENT)
    .action(async (version: string | undefined, options, command) =>
      (await actions()).goBack(version, options, command),
    );
  policy
    .command('status')
    .description('what is published, and what each sidecar runs that asked this broker in the last 90 s')
    .option('--json', 'print one JSON object')
    .addHelpText('after', BROKER_ENVIRONMENT)
    .action(async (options) => (await actions()).status(options));
}

/** Loaded when they are asked for: what speaks to Vault takes longer to load than most of these commands to run. */
function actions() {
  return import('./publishing.ts');
}
