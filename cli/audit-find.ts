import { Command } from 'commander';
import type { AuditRecord } from '../lib/audit/index.ts';
import { auditFiles, type Placed, recordsOf } from './audit-records.ts';
import { print, printJson, wrongUsage } from './input.ts';

/** `signet audit find`: the records that belong to one decision. */
export function findCommand(): Command {
  return new Command('find')
    .description('show what the audit has of one decision, by its id; exit status 1 if that is nothing')
    .argument('<id>', 'the id of the decision')
    .argument('<file...>', 'audit logs, and folders of them; - for standard input')
    .option('--json', 'print a JSON array of the records, each with its file and line')
    .action(find);
}

/** `signet audit show`: records as a person reads them. */
export function showCommand(): Command {
  return new Command('show')
    .description('show records, one to a line; nothing is verified')
    .argument('<file...>', 'audit logs, and folders of them; - for standard input')
    .option('--type <type...>', 'only records of these types, such as decision, alarm or svid')
    .option('--json', 'print the records as they stand in the files')
    .action(show);
}

async function find(id: string, paths: string[], options: { json?: true }, command: Command): Promise<void> {
  const found: Placed[] = [];
  for await (const placed of read(paths, command)) if (placed.record['id'] === id) found.push(placed);
  if (options.json) printJson(found);
  else if (found.length === 0) print(`no record of ${id}`);
  else
    for (const { file, line, record } of found) {
      print(`${file}:${line}`);
      for (const [name, value] of Object.entries(record))
        if (!OWN.has(name)) print(`  ${name} ${text(value)}`);
    }
  if (found.length === 0) process.exitCode = 1;
}

async function show(
  paths: string[],
  options: { type?: string[]; json?: true },
  command: Command,
): Promise<void> {
  const types = options.type === undefined ? null : new Set(options.type);
  for await (const { record } of read(paths, command)) {
    if (types !== null && !types.has(record.type)) continue;
    print(options.json ? JSON.stringify(record) : lineOf(record));
  }
}

async function* read(paths: readonly string[], command: Command): AsyncGenerator<Placed> {
  try {
    yield* recordsOf(await auditFiles(paths));
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    wrongUsage(command, `cannot read ${path}: ${code}`);
  }
}

/** What holds the chain together and says nothing of what happened. */
const OWN = new Set(['prev', 'chain', 'sig']);

function lineOf({ seq, time, type, ...fields }: AuditRecord): string {
  const shown = Object.entries(fields).filter(([name]) => !OWN.has(name));
  return [`${time} ${seq} ${type}`, ...shown.map(([name, value]) => `${name}=${text(value)}`)].join(' ');
}

/** A record holds what strangers sent: a text that could move a terminal's cursor stands as JSON writes it. */
function text(value: unknown): string {
  return typeof value === 'string' && /^[!-~]+$/.test(value) ? value : JSON.stringify(value);
}
