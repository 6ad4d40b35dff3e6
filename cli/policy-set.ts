import type { Command } from 'commander';
import type { NewDocument } from '../broker/policies/publish.ts';
import { defectText, PolicyError, parsePolicies } from '../lib/policy/index.ts';
import { print, printJson, readInput } from './input.ts';

/**
 * The documents of policy files, each as it is published: on a line of its own, without `$schema`. Null when the set was refused, which is
 * then said and makes exit status 1.
 */
export async function readSet(
  files: readonly string[],
  options: { readonly json?: true },
  command: Command,
): Promise<NewDocument[] | null> {
  const sources = await Promise.all(
    files.map(async (file) => ({ file, text: (await readInput(file, command)).toString() })),
  );
  try {
    parsePolicies(sources);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    if (options.json) printJson({ ok: false, defects: error.defects });
    else for (const defect of error.defects) print(defectText(defect));
    process.exitCode = 1;
    return null;
  }
  // understood, so every document is an object that has these
  return sources.flatMap(({ text }) => documentsIn(JSON.parse(text))).map(published);
}

type Raw = { readonly name: string; readonly target: string; readonly level: string };

function documentsIn(value: Raw | readonly Raw[] | { readonly policies: readonly Raw[] }): readonly Raw[] {
  if (Array.isArray(value)) return value;
  return 'policies' in value ? value.policies : [value as Raw];
}

function published(raw: Raw): NewDocument {
  const { $schema: _editors, ...document } = raw as Raw & { readonly $schema?: unknown };
  const { name, target, level } = document;
  return { name, target, level, text: JSON.stringify(document) };
}
