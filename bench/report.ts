import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { basename } from 'node:path';
import { which } from '../setup/commands.mjs';
import { envoyBinary } from '../setup/envoy.mjs';
import type { Effort, Row } from './measure.ts';
import { output } from './processes.ts';

const COLUMNS = [
  'name',
  'impl',
  'cpu_ms_per_1k',
  'ratio_to_nginx',
  'rps',
  'p50_ms',
  'p99_ms',
  'private_mb',
] as const;
const TITLES = [
  'row',
  'implementation',
  'CPU ms per 1,000',
  '× nginx',
  'req/s',
  'p50 ms',
  'p99 ms',
  'private MB',
];

/** The rows as a table that reads well both in a terminal and as Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = [TITLES, ...rows.map((row) => COLUMNS.map((column) => String(row[column])))];
  const widths = TITLES.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const show = (line: readonly string[]) =>
    `| ${line.map((cell, i) => pad(cell, widths[i]!, i)).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i < 2 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [show(lines[0]!), rule, ...lines.slice(1).map(show)].join('\n');
}

function pad(cell: string, width: number, column: number): string {
  return column < 2 ? cell.padEnd(width) : cell.padStart(width);
}

/** What RESULTS.md says: the table, and on what it was measured. */
export async function results(
  rows: readonly Row[],
  effort: Effort,
  notes: readonly string[],
): Promise<string> {
  const [cpu] = cpus();
  const machine = `${cpus().length} × ${cpu?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, load average at the end ${loadavg()[0]!.toFixed(1)}`;
  return `# Benchmark results

Written by \`npm run bench\`. Every implementation has one worker and the same backend (nginx, a fixed small body), keys, client and
requests; they are measured in turns, ${effort.rounds} rounds of ${effort.durationMs / 1000} s each after ${effort.warmMs / 1000} s of warm load. Figures are medians over the rounds;
the ratio is the median of each round's own ratio. CPU is user and system time of the process, private memory its dirty pages. nginx
verifies the client's certificate and judges nothing; Envoy enforces the same 20 rules by its RBAC filter; Signet enforces them, and
writes its audit to disk.

${table(rows)}

- machine: ${machine}
${(await versions()).map((line) => `- ${line}`).join('\n')}
${notes.map((line) => `- ${line}`).join('\n')}
`;
}

async function versions(): Promise<string[]> {
  const first = async (command: string | undefined, ...args: string[]) =>
    command === undefined
      ? 'none'
      : (await output(command, args)).trim().split('\n')[0]!.replace(command, basename(command));
  const openssl = process.versions.openssl;
  return [
    `Signet ${(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version} on Node ${process.version}, OpenSSL ${openssl}`,
    await first(which('nginx', ['/usr/sbin']), '-v'),
    (await first(envoyBinary(), '--version')).replace(/^\S*\/(?=envoy\s)/, ''),
    await first(which('go'), 'version'),
  ];
}
