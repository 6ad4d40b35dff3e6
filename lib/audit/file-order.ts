import { isUtf8 } from 'node:buffer';
import { LineSplitter } from './lines.ts';
import { MAX_LINE_BYTES, readRecord } from './record.ts';

/** What the beginning of a file says of it: the log it belongs to, and the number of its first record. Null where it has no record. */
export type FileHead = {
  readonly log: string | null;
  readonly seq: number | null;
  /** When that record was made. */
  readonly time: string | null;
};

/** How many bytes from the beginning of a file `headOf` wants; the whole file if it is shorter. */
export const HEAD_BYTES = 4 * MAX_LINE_BYTES;

/** Files of one log, in the order of their records. `log` is null for one that has no name. */
export type LogFiles<F> = { readonly log: string | null; readonly files: readonly F[] };

const ROTATED = /\.(\d{12})$/;
const NAMING = new Set(['start', 'continued', 'dropped']);

/** The name under which a file that is full is kept: it tells the number of the first record in it, so that names sort as the log goes. */
export function rotatedName(target: string, firstSeq: number): string {
  return `${target}.${String(firstSeq).padStart(12, '0')}`;
}

/** The number that a rotated file's name tells; null for other names. */
export function rotatedSeq(name: string): number | null {
  const digits = ROTATED.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

export function headOf(bytes: Uint8Array): FileHead {
  let seq: number | null = null;
  let log: string | null = null;
  let time: string | null = null;
  const splitter = new LineSplitter(MAX_LINE_BYTES, (line) => {
    const record = line === null || log !== null || !isUtf8(line) ? null : readRecord(line.toString());
    if (record === null) return;
    seq ??= record.seq;
    time ??= record.time;
    if (NAMING.has(record.type) && typeof record['log'] === 'string') log = record['log'];
  });
  splitter.push(bytes);
  return { log, seq, time };
}

/**
 * Sorts files into logs, each in order. Copies of one in several folders are verified each for itself. A file without a record belongs to the log whose other files are named like it, at its end; else it
 * is a log of its own, and so is a file that does not say which log is its.
 */
export function orderFiles<F extends { readonly name: string; readonly head: FileHead }>(
  files: readonly F[],
): LogFiles<F>[] {
  const keyOf = ({ name, head }: F): string => {
    if (head.log !== null) return `log ${head.log}`;
    const siblings = files.filter((other) => other.head.log !== null && stem(other.name) === stem(name));
    const logs = new Set(siblings.map((other) => other.head.log));
    return logs.size === 1 ? `log ${[...logs][0]}` : `file ${name}`;
  };
  const groups = [...Map.groupBy(files, keyOf).values()].flatMap(copies);
  return groups.map((group) => ({
    log: group.find(({ head }) => head.log !== null)?.head.log ?? null,
    files: group.toSorted((a, b) => (a.head.seq ?? Infinity) - (b.head.seq ?? Infinity)),
  }));
}

/** Of a log that is here twice, as its writer and as its collector have it, each folder is one. */
function copies<F extends { readonly name: string; readonly head: FileHead }>(group: F[]): F[][] {
  const beginnings = new Set(group.map(({ head }) => head.seq));
  if (beginnings.size === group.length) return [group];
  return [...Map.groupBy(group, ({ name }) => name.slice(0, name.lastIndexOf('/') + 1)).values()];
}

function stem(name: string): string {
  return name.replace(ROTATED, '');
}
