import { Command } from 'commander';
import { print, printJson } from '../input.ts';
import { counted, readPolicies } from './files.ts';

const SCHEMA_HELP = `
An editor checks a policy as you write it if the file says "$schema": "./policy.schema.json":
  signet policy schema > policy.schema.json`;

export function checkCommand(): Command {
  return new Command('check')
    .description('read policy files as one set and name everything that is wrong')
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
  if (options.json)
    printJson({ ok: true, documents: documents.length, dry_run: dryRun, targets: [...targets] });
  else
    print(
      `${counted(documents.length, 'document')} for ${counted(targets.size, 'target')}, ${dryRun} in dry-run: fine`,
    );
}
