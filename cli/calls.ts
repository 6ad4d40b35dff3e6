import { Command } from 'commander';
import type { Edge } from '../lib/calls/index.ts';
import { BROKER_ENVIRONMENT, openBroker } from './broker-client.ts';
import { print, printJson, wrongUsage } from './input.ts';

type Answer = {
  readonly minutes: number;
  readonly edges: readonly Edge[];
  readonly edges_more: number;
  readonly reports_dropped: number;
};

/** `signet calls`: who called whom lately, as sidecars told the broker. */
export function callsCommand(): Command {
  return new Command('calls')
    .description('who called whom in the last hour, as sidecars told this broker')
    .option('--minutes <n>', 'how far back, 1 to 60', '60')
    .option('--json', 'print the answer of the broker, with routes and samples')
    .addHelpText('after', BROKER_ENVIRONMENT)
    .action(show);
}

const HEAD = ['CALLER', 'SERVICE', 'CALLS', 'DENIED', 'REFUSED', 'ERRORS', 'P50', 'P99'];

async function show(options: { minutes: string; json?: true }, command: Command): Promise<void> {
  if (!/^([1-9]|[1-5]\d|60)$/.test(options.minutes)) wrongUsage(command, '--minutes: is not 1 to 60');
  using broker = openBroker(process.env);
  const answer = (await broker.call('GET', `/v1/calls?minutes=${options.minutes}`)) as Answer;
  if (options.json) return printJson(answer);
  const { edges, edges_more: more } = answer;
  if (edges.length === 0) return print(`no sidecar told this broker of a call in ${options.minutes} min`);
  for (const line of table([HEAD, ...edges.map(cellsOf)])) print(line);
  if (more > 0) print(`and ${more} more`);
}

function cellsOf(edge: Edge): string[] {
  const { caller, service, count, denied, refused, error_share: share, p50_ms: p50, p99_ms: p99 } = edge;
  const numbers = [count, denied, refused].map(String);
  return [caller, service, ...numbers, `${(share * 100).toFixed(1)}%`, time(p50), time(p99)];
}

function time(ms: number | null): string {
  return ms === null ? '-' : `${ms.toFixed(1)}ms`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
}
