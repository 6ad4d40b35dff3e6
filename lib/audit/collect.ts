import { hash } from 'node:crypto';
import { AuditError, type AuditRecord, MAX_LINE_BYTES, readRecord } from './record.ts';
import { GENESIS } from './seal.ts';

/** How far a log is collected. */
export type Standing = {
  /** The number of the record that comes next. */
  readonly next: number;
  /** Hex SHA-256 of the last line without its line break, or `GENESIS`. */
  readonly hash: string;
};

/** A signed record among those collected; `hash` is its line's. */
export type Sealed = { readonly line: string; readonly record: AuditRecord; readonly hash: string };

export const NOTHING_COLLECTED: Standing = { next: 0, hash: GENESIS };

/**
 * Takes lines (without line breaks) that go on from `standing`: each is a record that follows the one before it. Numbers may be left out
 * only by a record that says itself that they never came. Of the signatures nothing is checked.
 * @throws AuditError `AUDIT_NOT_NEXT` with the number of the line, counted from 1
 */
export function collect(
  standing: Standing,
  log: string,
  lines: readonly string[],
): { readonly standing: Standing; readonly sealed: readonly Sealed[] } {
  const sealed: Sealed[] = [];
  let { next, hash: last } = standing;
  for (const [i, line] of lines.entries()) {
    const record = Buffer.byteLength(line) < MAX_LINE_BYTES ? readRecord(line) : null;
    const flaw = record === null ? 'is no record' : flawOf(record, { next, hash: last }, log);
    if (record === null || flaw !== null) throw new AuditError('AUDIT_NOT_NEXT', `line ${i + 1} ${flaw}`);
    next = record.seq + 1;
    last = hash('sha256', line);
    if (record.sig !== undefined) sealed.push({ line, record, hash: last });
  }
  return { standing: { next, hash: last }, sealed };
}

function flawOf(record: AuditRecord, { next, hash }: Standing, log: string): string | null {
  const { seq, prev, type } = record;
  if (record['log'] !== undefined && NAMING.has(type) && record['log'] !== log) return 'is of another log';
  if (seq < next) return `is record ${seq}, which is here already`;
  if (seq === next) return prev === hash ? null : 'holds another hash for the record before it';
  const admitted = type === 'dropped' && record['from'] === next && record['to'] === seq - 1;
  return admitted ? null : `is record ${seq}, and ${next} is next`;
}

/** Records that say which log they are of. */
const NAMING = new Set(['start', 'continued', 'rotated', 'removed', 'dropped']);
