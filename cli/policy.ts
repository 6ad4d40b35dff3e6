import { Command } from 'commander';
import {
  compilePolicies,
  defectText,
  explain,
  type PolicyDocument,
  PolicyError,
  parseCaller,
  pathFlaw,
  readPolicies as readSources,
} from '../lib/policy/index.ts';
import schema from '../lib/policy/schema.json' with { type: 'json' };
import { parseSpiffeId, type SpiffeId } from '../lib/spiffe/index.ts';
import { parsed, print, printJson, readInput, wrongUsage } from './input.ts';
import { addPublishing } from './policy-publish.ts';

const SCHEMA_HELP = `
An editor checks a policy as you write it if the file says "$schema": "./policy.schema.json":
  signet policy schema > policy.schema.json`;

/** `signet policy`: everything about policies that needs no broker. */
export function policyCommand(): Command {
  const policy = new Command('policy').description('check policies and explain their decisions');
  policy
    .command('check')
    .description('read policy files as one set and name everything that is wrong')
    .argument('<file...>', 'policy files, - for standard input')
    .option('--json', 'print one JSON object')
    .addHelpText('after', SCHEMA_HELP)
    .action(check);
  policy
    .command('explain')
    .description(
      'judge one request and show, rule by rule, what was compared with what; exit status 1 if denied',
    )
    .requiredOption('--policy <file...>', 'policy files, - for standard input')
    .requiredOption('--caller <id>', "the caller's SPIFFE ID, or anonymous for one without")
    .requiredOption('--method <method>', 'the HTTP method')
    .requiredOption('--path <path>', 'the path, without query')
    .option('--target <id>', 'the SPIFFE ID of the service; needed when the files are for several')
    .option('--json', 'print one JSON object')
    .action(explainRequest);
  policy
    .command('schema')
    .description('print the JSON Schema of policy files')
    .action(() => printJson(schema));
  addPublishing(policy);
  return policy;
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
      `${count(documents.length, 'document')} for ${count(targets.size, 'target')}, ${dryRun} in dry-run: fine`,
    );
}

type ExplainOptions = {
  readonly policy: string[];
  readonly caller: string;
  readonly method: string;
  readonly path: string;
  readonly target?: string;
  readonly json?: true;
};

async function explainRequest(options: ExplainOptions, command: Command): Promise<void> {
  const { method, path } = options;
  const caller = parsed(command, '--caller', () => parseCaller(options.caller));
  const flaw = pathFlaw(path);
  if (flaw !== null)
    wrongUsage(command, `--path: policy never sees ${JSON.stringify(path)}: expected ${flaw}`);
  const documents = await readPolicies(options.policy, options, command);
  if (documents === null) return;
  const target = targetOf(documents, options.target, command);
  const { decision, considered, nearest, text } = explain(compilePolicies(documents, target), {
    caller,
    method,
    path,
  });
  if (options.json) printJson({ target, request: { caller, method, path }, decision, nearest, considered });
  else print(`target ${target}\n${text}`);
  if (decision.effect === 'deny') process.exitCode = 1;
}

function targetOf(
  documents: readonly PolicyDocument[],
  given: string | undefined,
  command: Command,
): SpiffeId {
  if (given !== undefined) return parsed(command, '--target', () => parseSpiffeId(given));
  const targets = new Map(
    documents
      .filter(({ target }) => !target.isPattern)
      .map(({ target }) => [target.toString(), parseSpiffeId(target.toString())]),
  );
  const [only, ...others] = targets.values();
  if (only !== undefined && others.length === 0) return only;
  const which =
    only === undefined
      ? 'the files hold no document'
      : `the files are for ${[...targets.keys()].join(' and ')}`;
  return wrongUsage(command, `--target is needed: ${which}`);
}

/** Null when the set was refused, which is then said and makes exit status 1. */
async function readPolicies(
  files: readonly string[],
  options: { readonly json?: true },
  command: Command,
): Promise<PolicyDocument[] | null> {
  const sources = await Promise.all(
    files.map(async (file) => ({ file, text: (await readInput(file, command)).toString() })),
  );
  try {
    return await readSources(sources);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    if (options.json) printJson({ ok: false, defects: error.defects });
    else for (const defect of error.defects) print(defectText(defect));
    process.exitCode = 1;
    return null;
  }
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
