import { Command } from 'commander';
import { compilePolicies, explain, parseCaller, pathFlaw } from '../../lib/policy/index.ts';
import { parsed, print, printJson, wrongUsage } from '../input.ts';
import { readPolicies, targetOf } from './files.ts';

export function explainCommand(): Command {
  return new Command('explain')
    .description(
      'judge one request and show, rule by rule, what was compared with what; exit status 1 if denied',
    )
    .requiredOption('--policy <file...>', 'policy files, folders of them, - for standard input')
    .requiredOption('--caller <id>', "the caller's SPIFFE ID, or anonymous for one without")
    .requiredOption('--method <method>', 'the HTTP method')
    .requiredOption('--path <path>', 'the path, without query')
    .option('--target <id>', 'the SPIFFE ID of the service; needed when the files are for several')
    .option('--json', 'print one JSON object')
    .action(explainRequest);
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
