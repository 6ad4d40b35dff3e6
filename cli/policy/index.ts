import { Command } from 'commander';
import schema from '../../lib/policy/schema.json' with { type: 'json' };
import suiteSchema from '../../lib/policy/suite/schema.json' with { type: 'json' };
import { printJson } from '../input.ts';
import { checkCommand } from './check.ts';
import { diffCommand } from './diff.ts';
import { explainCommand } from './explain.ts';
import { addPublishing } from './publish.ts';
import { showCommand } from './show.ts';
import { testCommand } from './test.ts';

/** `signet policy`. Each command is a file; a new one is one line here. */
export function policyCommand(): Command {
  const policy = new Command('policy')
    .description('check, test, compare and show policies, explain their decisions, and publish them')
    // on files, without a broker
    .addCommand(checkCommand())
    .addCommand(testCommand())
    .addCommand(explainCommand())
    .addCommand(diffCommand())
    .addCommand(showCommand())
    .addCommand(schemaCommand());
  addPublishing(policy);
  return policy;
}

function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of policy files')
    .option('--suite', 'that of suites instead')
    .action(({ suite }: { suite?: true }) => printJson(suite ? suiteSchema : schema));
}
