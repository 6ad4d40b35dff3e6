import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AuditReport,
  createVerifier,
  headOf,
  orderFiles,
  type VerifyOptions,
} from '../../../lib/audit/index.ts';

/** Files by name, as a folder has them. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Verifies files as the command line does: put in order by what they say of themselves. */
export function checkFiles(files: Files, options: VerifyOptions): AuditReport {
  const verifier = createVerifier(options);
  const read = Object.entries(files)
    .filter(([name]) => !name.endsWith('.countersigned'))
    .map(([name, content]) => ({ name, content: Buffer.from(content) }))
    .filter(({ content }) => content.length > 0)
    .map((file) => ({ ...file, head: headOf(file.content) }));
  for (const log of orderFiles(read)) {
    for (const [i, { name, content }] of log.files.entries()) {
      const beside = files[`${name}.countersigned`];
      verifier.begin(name, i === 0, beside === undefined ? undefined : linesOf(beside.toString()));
      verifier.push(content);
    }
  }
  return verifier.end();
}

export function readFolder(folder: string): Record<string, string> {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

function linesOf(text: string): Iterator<string> {
  return text.split('\n').filter(Boolean).values();
}

/** Findings as `kind file line`. */
export const placed = (report: AuditReport) =>
  report.findings.map(({ kind, file, line }) => `${kind} ${file} ${line}`);
