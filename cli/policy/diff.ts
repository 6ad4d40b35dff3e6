import { Command } from 'commander';
import { compilePolicies } from '../../lib/policy/index.ts';
import { auditFiles, decisionsOf } from '../audit-records.ts';
import { print, printJson, wrongUsage } from '../input.ts';
import { counted, readPolicies, targetOf } from './files.ts';
import { type Change, Replay, type Side } from './replay.ts';
import { routesOf } from './route.ts';

export function diffCommand(): Command {
  return new Command('diff')
    .description(
      'judge recorded requests by proposed policies and show what would come out otherwise; exit status 1 if anything, or if a request cannot be judged again',
    )
    .requiredOption('--recorded <file...>', 'audit logs, and folders of them; - for standard input')
    .requiredOption('--current <file...>', 'the policies of today: files, and folders of them')
    .requiredOption('--proposed <file...>', 'the policies to compare with')
    .option('--target <id>', 'the SPIFFE ID of the service; needed when the files are for several')
    .option('--json', 'print one JSON object')
    .action(diff);
}

type Options = {
  readonly recorded: string[];
  readonly current: string[];
  readonly proposed: string[];
  readonly target?: string;
  readonly json?: true;
};

async function diff(options: Options, command: Command): Promise<void> {
  const current = await readPolicies(options.current, options, command);
  const proposed = current === null ? null : await readPolicies(options.proposed, options, command);
  if (current === null || proposed === null) return;
  const both = [...current, ...proposed];
  const target = targetOf(both, options.target, command);
  const replay = new Replay(
    compilePolicies(current, target),
    compilePolicies(proposed, target),
    routesOf(both),
  );
  await pour(options.recorded, replay, command);
  if (options.json) printJson(report(replay));
  else for (const line of lines(replay)) print(line);
  if (!replay.isSame) process.exitCode = 1;
}

async function pour(paths: readonly string[], replay: Replay, command: Command): Promise<void> {
  try {
    for await (const placed of decisionsOf(await auditFiles(paths))) replay.add(placed);
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    wrongUsage(command, `cannot read ${path}: ${code}`);
  }
}

function report(replay: Replay): object {
  const { decisions, changes, alike, unfaithful, isSame } = replay;
  return {
    ...{ same: isSame, decisions, changes, changes_beyond: replay.beyond, alike_by_another_rule: alike },
    not_replayed: { count: replay.unfaithfulCount, missing: unfaithful, unreadable: replay.unreadable },
    recorded_under_other_policies: replay.otherPolicies,
    not_as_recorded: replay.notAsRecorded,
  };
}

function* lines(replay: Replay): Generator<string> {
  const { changes, unfaithful, decisions } = replay;
  yield* section(
    'would be denied',
    changes.filter(({ after }) => after.effect === 'deny'),
  );
  yield* section(
    'would be allowed',
    changes.filter(({ after }) => after.effect === 'allow'),
  );
  if (replay.beyond > 0) yield `${counted(replay.beyond, 'more change')}, of more callers and routes`;
  if (replay.alike > 0) yield `decided alike by another rule: ${replay.alike}`;
  if (unfaithful.length > 0) {
    yield `not judged again, because a rule asks for what the audit does not hold: ${replay.unfaithfulCount}`;
    for (const { missing, count, example } of unfaithful)
      yield `  ${count} ${missing}, for example ${example.id}`;
  }
  if (replay.unreadable > 0)
    yield `not judged again, because the record cannot be read: ${replay.unreadable}`;
  if (replay.otherPolicies > 0)
    yield `recorded under other policies than the current: ${replay.otherPolicies}`;
  if (replay.notAsRecorded > 0)
    yield `recorded under the current policies, which now say otherwise: ${replay.notAsRecorded}`;
  const changed = changes.reduce((sum, { count }) => sum + count, replay.beyond);
  yield `${counted(decisions, 'recorded decision')}, ${changed} would come out otherwise`;
}

/** By caller, then by route. */
function* section(title: string, changes: readonly Change[]): Generator<string> {
  if (changes.length === 0) return;
  yield `${title}: ${changes.reduce((sum, { count }) => sum + count, 0)}`;
  for (const [caller, own] of Map.groupBy(changes, (change) => change.caller)) {
    yield `  ${caller}`;
    for (const { count, method, route, before, after, example } of own)
      yield `    ${count} ${method} ${route}: ${sideText(before)}, would be ${sideText(after)}; for example ${example.id}`;
  }
}

function sideText({ effect, rule }: Side): string {
  const verb = effect === 'allow' ? 'allowed' : 'denied';
  return rule === null ? `${verb} for want of a rule` : `${verb} by ${rule}`;
}
