import { Command } from 'commander';
import type { PolicyDocument } from '../../lib/policy/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { parsed, print, printJson } from '../input.ts';
import { conditionLines } from './condition-text.ts';
import { counted, readPolicies } from './files.ts';

export function showCommand(): Command {
  return new Command('show')
    .description('show policies as people read them: by target and level, the strongest first')
    .argument('<file...>', 'policy files, folders of them, - for standard input')
    .option('--target <id>', 'only those for the service with this SPIFFE ID')
    .option('--json', 'print one JSON object')
    .action(show);
}

const LEVELS = ['root', 'business-unit', 'application'] as const;

async function show(
  files: string[],
  options: { target?: string; json?: true },
  command: Command,
): Promise<void> {
  const { target } = options;
  const id = target === undefined ? null : parsed(command, '--target', () => parseSpiffeId(target));
  const documents = await readPolicies(files, options, command);
  if (documents === null) return;
  const shown = documents.filter((document) => id === null || document.target.covers(id));
  const byTarget = Map.groupBy(shown, (document) => document.target.toString());
  if (options.json)
    printJson({ targets: [...byTarget].map(([target, rules]) => ({ target, rules: sorted(rules) })) });
  else for (const [target, rules] of byTarget) for (const line of linesOf(target, sorted(rules))) print(line);
  if (shown.length === 0 && !options.json) print('no rule');
}

function* linesOf(target: string, rules: readonly PolicyDocument[]): Generator<string> {
  const dryRun = rules.filter(({ mode }) => mode === 'dry-run').length;
  yield `${target}: ${counted(rules.length, 'rule')}${dryRun === 0 ? '' : `, ${dryRun} in dry-run`}`;
  for (const [level, own] of Map.groupBy(rules, (rule) => rule.level)) {
    yield `  ${level}`;
    for (const { name, effect, mode, when } of own) {
      yield `    ${effect} ${name}${mode === 'dry-run' ? ' (dry-run)' : ''}`;
      yield* conditionLines(when, '      ');
    }
  }
}

/** In the order in which they decide: a deny before an allow, the level, the name. */
function sorted(rules: readonly PolicyDocument[]): PolicyDocument[] {
  return rules.toSorted(
    (a, b) =>
      LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) ||
      b.effect.localeCompare(a.effect) ||
      (a.name < b.name ? -1 : 1),
  );
}
