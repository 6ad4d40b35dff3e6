import { hash } from 'node:crypto';
import { AuditError, type AuditEvent, isRecordType, MAX_LINE_BYTES } from './record.ts';
import { type AuditSigner, GENESIS, seal } from './seal.ts';

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

/** `line` ends with a line break. */
export type Appended = { readonly line: string; readonly state: ChainState };

/** A log in the making. It does no I/O: lines must reach the file in the order they were made, or the chain is broken. */
export type Chain = {
  readonly state: ChainState;
  /** @throws AuditError `AUDIT_RECORD_INVALID`, `AUDIT_RECORD_TOO_LARGE`; the chain then stands where it stood */
  append(event: AuditEvent, now: Date): Appended;
  /** After 1,000 unsigned records, or 10 s after the first of them; false while there are none. */
  checkpointDue(now: Date): boolean;
  /** A record signed with the SVID key: it vouches for every line before it. */
  checkpoint(signer: AuditSigner, now: Date): Appended;
  /** The last record of a run, signed. Without an SVID (`signer` null) it is unsigned, and verification says so. */
  stop(signer: AuditSigner | null, fields: Readonly<Record<string, unknown>>, now: Date): Appended;
};

export const CHECKPOINT_RECORDS = 1_000;
export const CHECKPOINT_INTERVAL_MS = 10_000;

const START: ChainState = { seq: 0, prev: GENESIS, unsigned: 0, unsignedSince: null };
/** Types that say something about the chain, or that only the chain can sign. */
const OWN_TYPES = ['checkpoint', 'stop', 'recovered'];
const RESERVED = new Set(['seq', 'time', 'prev', 'chain', 'sig', 'fragment']);

/** A new chain, or one that goes on from `resume`. The fields of `mark` are in every record, whatever an event says of them. */
export function createChain(
  resume: ChainState = START,
  mark: Readonly<Record<string, string | number>> | null = null,
): Chain {
  if (mark !== null) checkEvent('start', mark);
  let state = resume;
  const add = (type: string, fields: object, signer: AuditSigner | null, now: Date): Appended => {
    const marked = mark === null ? fields : { ...fields, ...mark };
    const appended = nextRecord(state, type, marked, signer, now);
    state = appended.state;
    return appended;
  };
  return {
    get state() {
      return state;
    },
    append(event, now) {
      const { type } = event;
      if (OWN_TYPES.includes(type))
        throw new AuditError('AUDIT_RECORD_INVALID', `${type} is the chain's own`);
      checkEvent(type, event);
      return add(type, event, null, now);
    },
    checkpointDue: (now) =>
      state.unsigned >= CHECKPOINT_RECORDS ||
      (state.unsignedSince !== null && now.getTime() - state.unsignedSince >= CHECKPOINT_INTERVAL_MS),
    checkpoint: (signer, now) => add('checkpoint', {}, signer, now),
    stop(signer, fields, now) {
      if (Object.hasOwn(fields, 'type'))
        throw new AuditError('AUDIT_RECORD_INVALID', "the field type is the chain's own");
      checkEvent('stop', fields);
      return add('stop', fields, signer, now);
    },
  };
}

/** @internal One record after `state`; `chain` is filled in from the signer. */
export function nextRecord(
  state: ChainState,
  type: string,
  fields: object,
  signer: AuditSigner | null,
  now: Date,
): Appended {
  const { seq, prev } = state;
  const chain = signer?.chainDer.map((der) => Buffer.from(der).toString('base64'));
  const body = bodyText(type, chain === undefined ? fields : { ...fields, chain });
  const unsigned = `{"seq":${seq},"time":"${timeText(now)}"${body},"prev":"${prev}"}`;
  const line = signer === null ? unsigned : seal(unsigned, signer);
  if (Buffer.byteLength(line) >= MAX_LINE_BYTES) {
    throw new AuditError('AUDIT_RECORD_TOO_LARGE', `a record of type ${type} over ${MAX_LINE_BYTES} bytes`);
  }
  const open =
    signer === null
      ? { unsigned: state.unsigned + 1, unsignedSince: state.unsignedSince ?? now.getTime() }
      : { unsigned: 0, unsignedSince: null };
  return { line: `${line}\n`, state: { seq: seq + 1, prev: hash('sha256', line), ...open } };
}

/** `,"type":"…"` and then the other fields. An event that names its type first, as they do, is not copied for it. */
function bodyText(type: string, fields: object): string {
  const first = `{"type":"${type}"`;
  const text = JSON.stringify(fields);
  if (text.startsWith(first)) return `,${text.slice(1, -1)}`;
  const { type: _, ...others } = fields as { type?: unknown };
  const rest = JSON.stringify(others).slice(1, -1);
  return `,"type":"${type}"${rest === '' ? '' : `,${rest}`}`;
}

let lastTime = { ms: Number.NaN, text: '' };

/** Under load many records fall into one millisecond, and writing a time down costs as much as hashing a record. */
function timeText(now: Date): string {
  const ms = now.getTime();
  if (ms !== lastTime.ms) lastTime = { ms, text: now.toISOString() };
  return lastTime.text;
}

/** What would not read back as it was written, or could pass for what the chain says itself. */
function checkEvent(type: string, fields: object): void {
  if (!isRecordType(type)) throw new AuditError('AUDIT_RECORD_INVALID', 'a record type is a-z 0-9 . _ -');
  for (const key in fields) {
    if (RESERVED.has(key))
      throw new AuditError('AUDIT_RECORD_INVALID', `the field ${key} is the chain's own`);
    const first = key.charCodeAt(0);
    // Keys that are numbers come first in any object that is parsed, whatever was written.
    if (!(first >= 0x41)) throw new AuditError('AUDIT_RECORD_INVALID', 'a field name starts with a letter');
  }
}
