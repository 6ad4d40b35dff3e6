import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import {
  defectText,
  type PolicyDocument,
  PolicyError,
  type PolicySource,
  readPolicies as readDocuments,
} from '../../lib/policy/index.ts';
import { parseSpiffeId, type SpiffeId } from '../../lib/spiffe/index.ts';
import { parsed, print, printJson, readInput, wrongUsage } from '../input.ts';

/** A folder stands for the policy files in it: all JSON but suites and schemas. */
export function isPolicyFile(name: string): boolean {
  return name.endsWith('.json') && !isSuiteFile(name) && !name.endsWith('.schema.json');
}

export function isSuiteFile(name: string): boolean {
  return name.endsWith('.test.json');
}

/** Null when the set was refused, which is then said and makes exit status 1. */
export async function readPolicies(
  paths: readonly string[],
  options: { readonly json?: true },
  command: Command,
): Promise<PolicyDocument[] | null> {
  return parseSources(await readSources(paths, command), options);
}

/** As `readPolicies`, of texts that are read already. */
export async function parseSources(
  sources: readonly PolicySource[],
  options: { readonly json?: true },
): Promise<PolicyDocument[] | null> {
  try {
    return await readDocuments(sources);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    if (options.json) printJson({ ok: false, defects: error.defects });
    else for (const defect of error.defects) print(defectText(defect));
    process.exitCode = 1;
    return null;
  }
}

/** The text of policy files, and of those in folders and the folders below. */
export async function readSources(paths: readonly string[], command: Command): Promise<PolicySource[]> {
  const files = paths.flatMap((path) => (path === '-' ? [path] : filesAt(path, isPolicyFile, command)));
  return Promise.all(
    [...new Set(files)].map(async (file) => ({ file, text: (await readInput(file, command)).toString() })),
  );
}

/** `path` itself, or if it is a folder the files in it. A folder without any is wrong usage. */
export function filesAt(path: string, wanted: (name: string) => boolean, command: Command): string[] {
  if (!isFolder(path)) return [path];
  const found = filesIn(path, wanted);
  return found.length > 0 ? found : wrongUsage(command, `cannot read ${path}: there is no such file in it`);
}

/** The files in and below a folder that are `wanted`, sorted; none if it is no folder. */
export function filesIn(folder: string, wanted: (name: string) => boolean): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && wanted(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The target that was named, or the only one there is. */
export function targetOf(
  documents: readonly PolicyDocument[],
  given: string | undefined,
  command: Command,
): SpiffeId {
  if (given !== undefined) return parsed(command, '--target', () => parseSpiffeId(given));
  const targets = new Set(documents.map(({ target }) => target.toString()));
  // Those that are for many services are for the one that others name.
  const named = documents.filter(({ target }) => !target.isPattern).map(({ target }) => target.toString());
  const [only, ...others] = new Set(named);
  if (only !== undefined && others.length === 0) return parseSpiffeId(only);
  const which =
    targets.size === 0 ? 'the files hold no document' : `the files are for ${[...targets].join(' and ')}`;
  return wrongUsage(command, `--target is needed: ${which}`);
}

/** `1 document`, `2 documents` */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
