import { Command } from 'commander';
import { type CompiledPolicy, compilePolicies, explain, type PolicyRequest } from '../../lib/policy/index.ts';
import { auditFiles, type DecisionRecord, decisionsOf, type Placed } from '../audit-records.ts';
import { print, printJson, wrongUsage } from '../input.ts';
import { type AskedOptions, askedRequest, withAskedOptions } from './asked.ts';
import { readPolicies, targetOf } from './files.ts';
import { asksChain, recordedRequest } from './recorded.ts';

export function explainCommand(): Command {
  const command = new Command('explain')
    .description(
      'judge one request and show, rule by rule, what was compared with what; exit status 1 if denied',
    )
    .requiredOption('--policy <file...>', 'policy files, folders of them, - for standard input')
    .option('--target <id>', 'the SPIFFE ID of the service; needed when the files are for several');
  return withAskedOptions(command)
    .option('--decision <id>', 'a decision of the audit, instead of a request')
    .option('--audit <file...>', 'audit logs that have it, and folders of them')
    .option('--json', 'print one JSON object')
    .action(explainRequest);
}

type Options = AskedOptions & {
  readonly policy: string[];
  readonly target?: string;
  readonly decision?: string;
  readonly audit?: string[];
  readonly json?: true;
};

async function explainRequest(options: Options, command: Command): Promise<void> {
  const { decision } = options;
  const placed = decision === undefined ? null : await decisionOf(decision, options, command);
  if (decision !== undefined && placed === null) return;
  const asked = placed === null ? await askedRequest(options, command) : null;
  const documents = await readPolicies(options.policy, options, command);
  if (documents === null) return;
  const policy = compilePolicies(documents, targetOf(documents, options.target, command));
  if (asked !== null) explainAsked(asked, policy, options);
  else if (placed !== null) explainRecorded(placed, policy, options, command);
}

function explainAsked(request: PolicyRequest, policy: CompiledPolicy, options: Options): void {
  const { target } = policy;
  const { decision, considered, nearest, text } = explain(policy, request);
  const { caller, method, path } = request;
  if (options.json) printJson({ target, request: { caller, method, path }, decision, nearest, considered });
  else print(`target ${target}\n${text}`);
  if (decision.effect === 'deny') process.exitCode = 1;
}

/** The request is built from its record. Where the policies are others than then, or the record lacks what they ask, that is said. */
function explainRecorded(
  { file, line, record }: Placed<DecisionRecord>,
  policy: CompiledPolicy,
  options: Options,
  command: Command,
): void {
  const recorded = recordedRequest(record, asksChain(policy.documents));
  if (recorded === null) wrongUsage(command, `${file}:${line}: a record that no sidecar wrote`);
  const { target } = policy;
  const { decision, considered, nearest, text } = explain(policy, recorded.request);
  const missing = [...recorded.missing];
  const samePolicy = record.policy === policy.digest;
  const { id, time, effect, rule } = record;
  if (options.json) {
    const { caller, method, path } = recorded.request;
    const was = { id, file, line, time, effect, rule, policy: record.policy };
    printJson({
      ...{ target, request: { caller, method, path }, decision, nearest, considered },
      ...{ recorded: was, same_policy: samePolicy, missing },
    });
  } else {
    const outcome = effect === 'allow' ? 'allowed' : 'denied';
    print(`${file}:${line}: ${time} ${outcome} ${rule === null ? 'for want of a rule' : `by ${rule}`}`);
    if (!samePolicy)
      print(
        `warning: judged then by other policies (${record.policy}), explained by these (${policy.digest})`,
      );
    if (missing.length > 0)
      print(`warning: not in the audit, and compared as if there were none: ${missing.join(', ')}`);
    print(`target ${target}\n${text}`);
  }
  if (decision.effect === 'deny') process.exitCode = 1;
}

/** Null: there is none, which is then said and makes exit status 1. */
async function decisionOf(
  id: string,
  options: Options,
  command: Command,
): Promise<Placed<DecisionRecord> | null> {
  const { audit } = options;
  if (audit === undefined) return wrongUsage(command, '--audit is needed: where the decision is recorded');
  for (const name of ['caller', 'method', 'path'] as const)
    if (options[name] !== undefined) wrongUsage(command, `--${name}: the decision names the request`);
  try {
    for await (const placed of decisionsOf(await auditFiles(audit)))
      if (placed.record.id === id) return placed;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    wrongUsage(command, `cannot read ${path}: ${code}`);
  }
  print(`no decision ${id} in ${audit.join(' ')}`);
  process.exitCode = 1;
  return null;
}
