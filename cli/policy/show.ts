import { Command } from 'commander';
import type { PolicyDocument, PolicySource } from '../../lib/policy/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { parsed, print, printJson } from '../input.ts';
import { conditionLines, operandText } from './condition-text.ts';
import { counted, parseSources, readSources } from './files.ts';

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
  const sources = await readSources(files, command);
  const documents = await parseSources(sources, options);
  if (documents === null) return;
  const shown = documents.filter((document) => id === null || document.target.covers(id));
  const byTarget = Map.groupBy(shown, (document) => document.target.toString());
  const named = NAMED.map((kind) => [kind, declaredIn(sources, kind)] as const);
  if (options.json) {
    const targets = [...byTarget].map(([target, rules]) => ({ target, rules: sorted(rules) }));
    printJson({
      targets,
      ...Object.fromEntries(named.map(([kind, all]) => [kind, Object.fromEntries(all)])),
    });
    return;
  }
  for (const [target, rules] of byTarget) for (const line of linesOf(target, sorted(rules))) print(line);
  for (const [kind, all] of named) {
    if (all.length > 0) print(kind);
    for (const [name, members] of all) print(`  ${name} ${operandText(members)}`);
  }
  if (shown.length === 0) print('no rule');
}

const NAMED = ['sets', 'relations'] as const;

/** As they are written: what a set includes is named, not spelled out. */
function declaredIn(sources: readonly PolicySource[], kind: (typeof NAMED)[number]): [string, unknown][] {
  const all = sources.flatMap(({ text }) =>
    Object.entries((JSON.parse(text) as Record<string, object>)[kind] ?? {}),
  );
  // Several files may declare the same.
  return [...new Map(all)];
}

function* linesOf(target: string, rules: readonly PolicyDocument[]): Generator<string> {
  const dryRun = rules.filter(({ mode }) => mode === 'dry-run').length;
  yield `${target}: ${counted(rules.length, 'rule')}${dryRun === 0 ? '' : `, ${dryRun} in dry-run`}`;
  for (const [level, own] of Map.groupBy(rules, (rule) => rule.level)) {
    yield `  ${level}`;
    for (const { name, effect, mode, when, challenge } of own) {
      yield `    ${effect} ${name}${mode === 'dry-run' ? ' (dry-run)' : ''}`;
      yield* conditionLines(when, '      ');
      if (challenge !== undefined) yield `      challenge ${operandText(challenge)}`;
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
