import { AuditError, isRecordType } from './record.ts';

declare const KIND: unique symbol;
/** The type of a record and fields of it, written down as they will stand in its line. */
export type RecordText = string & { readonly [KIND]: 'record' };
/** Fields of a record, written down: each with the comma before it. */
export type FieldText = string & { readonly [KIND]: 'fields' };

/** Types that say something about the chain, or that only the chain can sign. */
const OWN_TYPES = ['checkpoint', 'stop', 'recovered', 'rotated', 'continued', 'removed', 'dropped'];
const RESERVED = new Set(['seq', 'time', 'prev', 'chain', 'sig', 'fragment', 'type']);
/** What stands for itself in JSON. */
const PLAIN = /^[ !#-[\]-~]*$/;
const FIRST_LETTER = 0x41;

/**
 * Begins a record whose fields are the same for many: what is written down once is checked once, and costs a copy from then on.
 * @throws AuditError `AUDIT_RECORD_INVALID`
 */
export function recordText(type: string): RecordText {
  checkType(type);
  return `,"type":"${type}"` as RecordText;
}

/**
 * Writes fields down; none may be among `taken`.
 * @throws AuditError `AUDIT_RECORD_INVALID`
 */
export function fieldText(
  fields: Readonly<Record<string, unknown>>,
  taken: readonly string[] = [],
): FieldText {
  for (const name in fields) checkName(name, taken);
  const text = JSON.stringify(fields).slice(1, -1);
  return (text === '' ? '' : `,${text}`) as FieldText;
}

/**
 * A writer for one field that holds a text.
 * @throws AuditError `AUDIT_RECORD_INVALID`
 */
export function textField(name: string): (value: string) => FieldText {
  checkName(name);
  const start = `,"${name}":`;
  return (value) => (PLAIN.test(value) ? `${start}"${value}"` : start + JSON.stringify(value)) as FieldText;
}

/** One name may stand in a record once; that is for the caller to keep. */
export function withFields(record: RecordText, fields: FieldText): RecordText {
  return (record + fields) as RecordText;
}

/** @internal @throws AuditError `AUDIT_RECORD_INVALID` */
export function checkType(type: string): void {
  if (OWN_TYPES.includes(type)) throw invalid(`${type} is the chain's own`);
  if (!isRecordType(type)) throw invalid('a record type is a-z 0-9 . _ -');
}

/** @internal What would not read back as it was written, or could pass for what the chain says itself. */
export function checkName(name: string, taken: readonly string[] = []): void {
  if (RESERVED.has(name) || taken.includes(name)) throw invalid(`the field ${name} is the chain's own`);
  // Keys that are numbers come first in any object that is parsed, whatever was written.
  if (!(name.charCodeAt(0) >= FIRST_LETTER)) throw invalid('a field name starts with a letter');
}

function invalid(message: string): AuditError {
  return new AuditError('AUDIT_RECORD_INVALID', message);
}
