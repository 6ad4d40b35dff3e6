import type { Command } from 'commander';
import {
  defectText,
  PolicyError,
  readPolicies,
  type Separate,
  separateDocuments,
} from '../lib/policy/index.ts';
import { print, printJson, readInput } from './input.ts';

/**
 * The documents of policy files, each as it is published: on a line of its own, with the named sets it needs. Null when they were refused,
 * which is then said and makes exit status 1.
 */
export async function readSet(
  files: readonly string[],
  options: { readonly json?: true },
  command: Command,
): Promise<Separate[] | null> {
  const sources = await Promise.all(
    files.map(async (file) => ({ file, text: (await readInput(file, command)).toString() })),
  );
  try {
    await readPolicies(sources);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    if (options.json) printJson({ ok: false, defects: error.defects });
    else for (const defect of error.defects) print(defectText(defect));
    process.exitCode = 1;
    return null;
  }
  return separateDocuments(sources);
}
