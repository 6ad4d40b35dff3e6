import { SignetError } from '../errors.ts';

export type AuditErrorCode =
  | 'AUDIT_RECORD_INVALID'
  | 'AUDIT_RECORD_TOO_LARGE'
  | 'AUDIT_RESUME_REFUSED'
  | 'AUDIT_NOT_NEXT';

export class AuditError extends SignetError<AuditErrorCode> {
  override readonly name = 'AuditError';
}

/**
 * The types that a caller records. `checkpoint`, `stop`, `recovered`, `rotated`, `continued`, `removed` and `dropped` are the
 * chain's own; a reader passes over unknown ones.
 */
export type AuditType = 'start' | 'decision' | 'svid' | 'alarm';

/**
 * What a caller records: its type and any JSON fields but the chain's own (`seq`, `time`, `prev`, `chain`, `sig`, and `fragment`).
 * Never a token, a key, evidence or a body.
 */
export type AuditEvent = { readonly type: AuditType | (string & {}) } & Readonly<Record<string, unknown>>;

/** A record as read back. */
export type AuditRecord = {
  readonly seq: number;
  readonly time: string;
  readonly type: string;
  readonly prev: string;
  /** Only on signed records: base64 DER, leaf first; the signature, base64url. */
  readonly chain?: readonly string[];
  readonly sig?: string;
} & Readonly<Record<string, unknown>>;

/** Bytes of one line, its line break included. */
export const MAX_LINE_BYTES = 64 * 1024;

const HASH = /^[0-9a-f]{64}$/;
const TYPE = /^[a-z][a-z0-9_.-]{0,63}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export function isRecordType(type: string): boolean {
  return TYPE.test(type);
}

/**
 * Reads one line, without its line break. Null unless it is a record in canonical form: parsing it and writing it again gives the same
 * text, so there is one reading and nothing between the lines; `seq`, `time`, `type` first, `prev` and on signed records `sig` last.
 */
export function readRecord(line: string): AuditRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  if (JSON.stringify(value) !== line) return null;
  const record = value as AuditRecord;
  const keys = Object.keys(record);
  const last = keys.at(-1) === 'sig' ? keys.at(-2) : keys.at(-1);
  const inOrder = keys[0] === 'seq' && keys[1] === 'time' && keys[2] === 'type' && last === 'prev';
  return inOrder && hasChainFields(record) ? record : null;
}

function hasChainFields({ seq, time, type, prev, chain, sig }: AuditRecord): boolean {
  if (!Number.isSafeInteger(seq) || seq < 0) return false;
  if (typeof type !== 'string' || !TYPE.test(type)) return false;
  if (typeof time !== 'string' || !TIME.test(time) || !Number.isFinite(Date.parse(time))) return false;
  if (typeof prev !== 'string' || !HASH.test(prev)) return false;
  if (sig === undefined) return chain === undefined;
  return typeof sig === 'string' && Array.isArray(chain) && chain.every((der) => typeof der === 'string');
}
