import { Command } from 'commander';
import { reviewPolicies } from '../../lib/policy/review/index.ts';
import { print, printJson } from '../input.ts';
import { counted, readPolicies } from './files.ts';

const SCHEMA_HELP = `
An editor checks a policy as you write it if the file says "$schema": "./policy.schema.json":
  signet policy schema > policy.schema.json`;

export function checkCommand(): Command {
  return new Command('check')
    .description('read policy files as one set and name everything that is wrong, and rules that do nothing')
    .argument('<file...>', 'policy files, folders of them, - for standard input')
    .option('--json', 'print one JSON object')
    .addHelpText('after', SCHEMA_HELP)
    .action(check);
}

async function check(files: string[], options: { json?: true }, command: Command): Promise<void> {
  const documents = await readPolicies(files, options, command);
  if (documents === null) return;
  const targets = new Set(documents.map((document) => document.target.toString()));
  const dryRun = documents.filter((document) => document.mode === 'dry-run').length;
  const warnings = reviewPolicies(documents, new Date());
  if (options.json) {
    const counts = { documents: documents.length, dry_run: dryRun };
    printJson({ ok: true, ...counts, targets: [...targets], warnings });
    return;
  }
  for (const { rule, target, message } of warnings) print(`warning: ${rule} of ${target} ${message}`);
  print(
    `${counted(documents.length, 'document')} for ${counted(targets.size, 'target')}, ${dryRun} in dry-run: fine`,
  );
}
