import { hash } from 'node:crypto';
import { AuditError, type AuditEvent, MAX_LINE_BYTES } from './record.ts';
import { type AuditSigner, GENESIS, seal } from './seal.ts';
import { checkName, checkType, fieldText, type RecordText } from './text.ts';

/** Where a chain stands: all it takes to go on. */
export type ChainState = {
  /** The number of the next record; the first is 0. */
  readonly seq: number;
  /** Hex SHA-256 of the line before without its line break, or `GENESIS`. */
  readonly prev: string;
  /** Records since the last signed one. */
  readonly unsigned: number;
  /** The time of the first of these (ms since the epoch); null if there are none. */
  readonly unsignedSince: number | null;
};

/**
 * `continued`: the first record of a file that goes on from another. `removed`: a file of the log was deleted, by its bound. `dropped`: the
 * records right before it never reached the broker.
 */
export type NoteType = 'continued' | 'removed' | 'dropped';

/** `line` ends with a line break. */
export type Appended = { readonly line: string; readonly state: ChainState };

/** A log in the making. It does no I/O: lines must reach the file in the order they were made, or the chain is broken. */
export type Chain = {
  readonly state: ChainState;
  /** @throws AuditError `AUDIT_RECORD_INVALID`, `AUDIT_RECORD_TOO_LARGE`; the chain then stands where it stood */
  append(event: AuditEvent | RecordText, now: Date): Appended;
  /** After 1,000 unsigned records, or 10 s after the first of them; false while there are none. */
  checkpointDue(now: Date): boolean;
  /** A record signed with the SVID key: it vouches for every line before it. */
  checkpoint(signer: AuditSigner, now: Date): Appended;
  /** What the log says of itself, and no caller can. */
  note(type: NoteType, fields: Readonly<Record<string, unknown>>, now: Date): Appended;
  /** The last record of a file, signed: the log goes on in another. */
  rotate(signer: AuditSigner, fields: Readonly<Record<string, unknown>>, now: Date): Appended;
  /** The last record of a run, signed. Without an SVID (`signer` null) it is unsigned, and verification says so. */
  stop(signer: AuditSigner | null, fields: Readonly<Record<string, unknown>>, now: Date): Appended;
};

export const CHECKPOINT_RECORDS = 1_000;
export const CHECKPOINT_INTERVAL_MS = 10_000;

const START: ChainState = { seq: 0, prev: GENESIS, unsigned: 0, unsignedSince: null };

/** A new chain, or one that goes on from `resume`. The fields of `mark` are in every record; no event may have one of these. */
export function createChain(
  resume: ChainState = START,
  mark: Readonly<Record<string, string | number>> | null = null,
): Chain {
  const marks = mark === null ? '' : fieldText(mark);
  const marked = Object.keys(mark ?? {});
  let state = resume;
  const add = (body: string, signer: AuditSigner | null, now: Date): Appended => {
    const appended = nextRecord(state, body + marks, signer, now);
    state = appended.state;
    return appended;
  };
  return {
    get state() {
      return state;
    },
    append: (event, now) => add(typeof event === 'string' ? event : eventText(event, marked), null, now),
    checkpointDue: (now) =>
      state.unsigned >= CHECKPOINT_RECORDS ||
      (state.unsignedSince !== null && now.getTime() - state.unsignedSince >= CHECKPOINT_INTERVAL_MS),
    checkpoint: (signer, now) => add(',"type":"checkpoint"', signer, now),
    note: (type, fields, now) => add(`,"type":"${type}"${fieldText(fields, marked)}`, null, now),
    rotate: (signer, fields, now) => add(`,"type":"rotated"${fieldText(fields, marked)}`, signer, now),
    stop: (signer, fields, now) => add(`,"type":"stop"${fieldText(fields, marked)}`, signer, now),
  };
}

/** @internal One record after `state`. `body` is what stands between its time and what the chain adds at the end, with a comma before it. */
export function nextRecord(state: ChainState, body: string, signer: AuditSigner | null, now: Date): Appended {
  const { seq, prev } = state;
  const start = `{"seq":${seq},"time":"${timeText(now)}"${body}`;
  const line =
    signer === null
      ? `${start},"prev":"${prev}"}`
      : seal(`${start},"chain":${JSON.stringify(chainText(signer))},"prev":"${prev}"}`, signer);
  if (isTooLarge(line))
    throw new AuditError('AUDIT_RECORD_TOO_LARGE', `a record over ${MAX_LINE_BYTES} bytes`);
  return {
    line: `${line}\n`,
    state: {
      seq: seq + 1,
      prev: hash('sha256', line),
      unsigned: signer === null ? state.unsigned + 1 : 0,
      unsignedSince: signer === null ? (state.unsignedSince ?? now.getTime()) : null,
    },
  };
}

function chainText({ chainDer }: AuditSigner): string[] {
  return chainDer.map((der) => Buffer.from(der).toString('base64'));
}

/** UTF-8 takes at most three bytes for one UTF-16 unit, so most lines need not be measured. */
function isTooLarge(line: string): boolean {
  return line.length * 3 >= MAX_LINE_BYTES && Buffer.byteLength(line) >= MAX_LINE_BYTES;
}

/** `,"type":"…"` and then the other fields. An event that names its type first, as they do, is not copied for it. */
function eventText(event: AuditEvent, marked: readonly string[]): string {
  const { type } = event;
  checkType(type);
  for (const name in event) if (name !== 'type') checkName(name, marked);
  const text = JSON.stringify(event);
  if (text.startsWith(`{"type":"${type}"`)) return `,${text.slice(1, -1)}`;
  const { type: _, ...others } = event;
  return `,"type":"${type}"${fieldText(others)}`;
}

let lastTime = { ms: Number.NaN, text: '' };

/** Under load many records fall into one millisecond, and writing a time down costs as much as hashing a record. */
function timeText(now: Date): string {
  const ms = now.getTime();
  if (ms !== lastTime.ms) lastTime = { ms, text: now.toISOString() };
  return lastTime.text;
}
