import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuditRecord, LineSplitter, MAX_LINE_BYTES, readRecord } from '../lib/audit/index.ts';

/** A record and where it stands; `line` counts from 1. */
export type Placed<R extends AuditRecord = AuditRecord> = {
  readonly file: string;
  readonly line: number;
  readonly record: R;
};

/** What was decided on one request, as the audit has it. Records that later versions write may have more fields. */
export type DecisionRecord = AuditRecord & {
  readonly type: 'decision';
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  /** The rule that decided and its level; null where none did, and so the default. */
  readonly rule: string | null;
  readonly level: string | null;
  /** A SPIFFE ID, or `anonymous`. */
  readonly caller: string;
  readonly serial: string | null;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** The digest of the policies that were in force. */
  readonly policy: string;
};

/** What the file of countersignatures beside a collected log is called, behind the log's own name. */
export const COUNTERSIGNED = '.countersigned';

/**
 * Reads records as a stream, file after file, with one line in memory. It verifies nothing: lines that are no record are passed over.
 * `-` is standard input.
 * @throws the system's error when a file cannot be read
 */
export async function* recordsOf(files: readonly string[]): AsyncGenerator<Placed> {
  for (const file of files) {
    let line = 0;
    let found: Placed[] = [];
    const splitter = new LineSplitter(MAX_LINE_BYTES, (bytes) => {
      line += 1;
      const record = bytes === null ? null : readRecord(bytes.toString());
      if (record !== null) found.push({ file, line, record });
    });
    for await (const chunk of contentOf(file)) {
      splitter.push(chunk);
      yield* found;
      found = [];
    }
  }
}

/** All decisions of these files, in the order in which they stand there. See `recordsOf`. */
export async function* decisionsOf(files: readonly string[]): AsyncGenerator<Placed<DecisionRecord>> {
  for await (const placed of recordsOf(files)) {
    if (isDecision(placed.record)) yield { ...placed, record: placed.record };
  }
}

/**
 * The audit files that are meant by files and folders: of a folder, all that it and its folders hold, by name. Countersignatures are none.
 * @throws the system's error for what is not there
 */
export async function auditFiles(paths: readonly string[]): Promise<string[]> {
  const files = await Promise.all(paths.map(filesAt));
  return [...new Set(files.flat())].filter((file) => !file.endsWith(COUNTERSIGNED));
}

/** @throws the system's error for what is not there */
async function filesAt(path: string): Promise<string[]> {
  if (path === '-' || !(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export function contentOf(file: string): AsyncIterable<Buffer> {
  return file === '-' ? process.stdin : createReadStream(file);
}

function isDecision(record: AuditRecord): record is DecisionRecord {
  return record.type === 'decision' && typeof record['id'] === 'string';
}
