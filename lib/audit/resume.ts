import { hash } from 'node:crypto';
import { CHECKPOINT_RECORDS, type Chain, type ChainState, createChain, nextRecord } from './chain.ts';
import { AuditError, type AuditRecord, MAX_LINE_BYTES, readRecord } from './record.ts';

export type Resumed = {
  readonly chain: Chain;
  /** To be written to the file before anything else; empty when the file ended with a whole line. */
  readonly repair: string;
  /** The last whole record of the file; null where it has none. */
  readonly last: AuditRecord | null;
};

type Mark = Readonly<Record<string, string | number>> | null;
export type ResumeOptions = {
  /** Where the log stood at the end of the file before this one: a file without a whole line goes on from there. */
  readonly before?: ChainState;
  readonly mark?: Mark;
};

/** How many bytes from the end of the file `resumeFrom` wants; the whole file if it is shorter. */
export const RESUME_TAIL_BYTES = 2 * MAX_LINE_BYTES;

/**
 * Goes on with a file after a restart, from its last bytes. A last line that a crash cut off stays where it is: the repair ends it and
 * adds a `recovered` record that says how long it was and what its hash is, chained to the last whole line.
 * @throws AuditError `AUDIT_RESUME_REFUSED` when the last whole line is no record: then someone has to look before more is written
 */
export function resumeFrom(
  tail: Uint8Array,
  now: Date,
  { before, mark = null }: ResumeOptions = {},
): Resumed {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength);
  const end = bytes.lastIndexOf(0x0a);
  const fragment = bytes.subarray(end + 1);
  if (fragment.length >= MAX_LINE_BYTES) throw refused('the last line is longer than any record');
  const line = end === -1 ? null : lastLine(bytes, end);
  const last = line === null ? null : readRecord(line);
  const state = line === null ? (before ?? createChain().state) : stateAfter(line, now);
  if (fragment.length === 0) return { chain: createChain(state, mark), repair: '', last };
  return recovered(state, last, fragment, now, mark);
}

function recovered(
  state: ChainState,
  last: AuditRecord | null,
  fragment: Buffer,
  now: Date,
  mark: Mark,
): Resumed {
  const whole = readRecord(fragment.toString());
  // Only its line break is missing.
  if (whole !== null) {
    if (whole.prev !== state.prev || whole.seq !== state.seq)
      throw refused('its last two lines do not follow each other');
    return { chain: createChain(stateAfter(fragment.toString(), now), mark), repair: '\n', last: whole };
  }
  const fields = { fragment: { bytes: fragment.length, sha256: hash('sha256', fragment) } };
  const appended = nextRecord(state, `,"type":"recovered",${JSON.stringify(fields).slice(1, -1)}`, null, now);
  return { chain: createChain(appended.state, mark), repair: `\n${appended.line}`, last };
}

function lastLine(bytes: Buffer, end: number): string {
  return bytes.toString('utf8', bytes.lastIndexOf(0x0a, end - 1) + 1, end);
}

/** How much before the last line is unsigned is not known from it alone, so after an unsigned one a checkpoint is due at once. */
function stateAfter(line: string, now: Date): ChainState {
  const record = readRecord(line);
  if (record === null) throw refused('the last line is not a record');
  const open =
    record.sig === undefined
      ? { unsigned: CHECKPOINT_RECORDS, unsignedSince: now.getTime() }
      : { unsigned: 0, unsignedSince: null };
  return { seq: record.seq + 1, prev: hash('sha256', line), ...open };
}

function refused(what: string): AuditError {
  return new AuditError('AUDIT_RESUME_REFUSED', `the audit file cannot be gone on with: ${what}`);
}
