import type { Decision } from './decision.ts';
import type { Row } from './rows.ts';
import type { Section } from './scenarios.ts';
import { type Column, SECTIONS } from './sections.ts';
import type { Verdict } from './verdict.ts';

export type Report = {
  readonly rows: readonly Row[];
  readonly decisions: readonly Decision[];
  readonly verdicts: readonly Verdict[];
  /** On what it was measured, and how; a line each. */
  readonly circumstances: readonly string[];
};

/** The report for a terminal. */
export function terminalText(report: Report): string {
  const parts = sectionsOf(report.rows).map(
    ([section, rows]) => `${SECTIONS[section].title}\n${table(section, rows)}`,
  );
  if (report.decisions.length > 0) parts.push(`Policy decision\n${decisionTable(report.decisions)}`);
  if (report.verdicts.length > 0) parts.push(`Budgets\n${verdictTable(report.verdicts)}`);
  return [...parts, lines(report.circumstances)].join('\n\n');
}

/** The report as bench/RESULTS.md. */
export function markdown(report: Report): string {
  const parts = sectionsOf(report.rows).map(
    ([section, rows]) =>
      `## ${SECTIONS[section].title}\n\n${SECTIONS[section].note}\n\n${table(section, rows)}`,
  );
  if (report.decisions.length > 0)
    parts.push(`## Policy decision\n\n${DECISION_NOTE}\n\n${decisionTable(report.decisions)}`);
  return `# Benchmark results

Written by \`npm run bench\`. All have the same keys, client and requests, and one worker each; they are measured in turns, round after
round. Figures are medians over the rounds; × is the ratio of CPU, the median of each round's own. CPU is user and system time of the
processes named in the row.

## Budgets

${verdictTable(report.verdicts)}

${parts.join('\n\n')}

## Circumstances

${lines(report.circumstances)}
`;
}

function sectionsOf(rows: readonly Row[]): [Section, readonly Row[]][] {
  return (Object.keys(SECTIONS) as Section[])
    .map((section): [Section, readonly Row[]] => [section, rows.filter((row) => row.section === section)])
    .filter(([, own]) => own.length > 0);
}

function table(section: Section, rows: readonly Row[]): string {
  const { columns } = SECTIONS[section];
  const titles = ['row', 'implementation', ...columns.map(({ title }) => title)];
  return layOut(
    titles,
    rows.map((row) => [row.name, row.impl, ...columns.map((column) => cell(row, column))]),
    2,
  );
}

function cell({ figures }: Row, { figure, digits }: Column): string {
  const value = figures[figure];
  if (value === undefined) return '';
  return digits === 0 ? Math.round(value).toLocaleString('en') : value.toFixed(digits);
}

const DECISION_NOTE = `One evaluation, no network; 1,000 rules of which most do not concern the request, the same in each engine's language, written one by one as
an author would. Cedar and OPA are their npm packages, which run WebAssembly and take each request as an object; neither has dry-run, so a
fifth of the rules is left out for them.`;

function decisionTable(decisions: readonly Decision[]): string {
  const cells = decisions.map(({ impl, documents, mean_ns, p50_ns, p99_ns, p999_ns }) => [
    impl,
    ...[documents, mean_ns, p50_ns, p99_ns, p999_ns].map((value) => value?.toLocaleString('en') ?? ''),
  ]);
  return layOut(['implementation', 'documents', 'mean ns', 'p50 ns', 'p99 ns', 'p99.9 ns'], cells, 1);
}

function verdictTable(verdicts: readonly Verdict[]): string {
  return layOut(
    ['budget', 'verdict'],
    verdicts.map(({ budget, outcome }) => [budget, outcome]),
    2,
  );
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `- ${text}`).join('\n');
}

/** A table that reads well both in a terminal and as Markdown; the first `words` columns are text. */
function layOut(titles: readonly string[], rows: readonly (readonly string[])[], words: number): string {
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const show = (row: readonly string[]) =>
    `| ${row.map((text, i) => (i < words ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i < words ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`));
  return [show(titles), `|${rule.join('|')}|`, ...rows.map(show)].join('\n');
}
