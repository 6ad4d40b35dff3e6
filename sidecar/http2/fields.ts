import { type IncomingHttpHeaders, sensitiveHeaders } from 'node:http2';
import type { Fields } from '../http1/index.ts';

/** Names and values in turn, as node:http2 gives and takes them. Each char is one byte. */
export type FieldList = string[];

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Names that were looked at and are sound; the same few come again and again. */
const sound = new Set<string>();
const MOST_REMEMBERED = 2_048;

/** Whether a name is a token without capitals (RFC 9113 §8.2.1). */
export function isFieldName(name: string): boolean {
  if (sound.has(name)) return true;
  if (!NAME.test(name)) return false;
  if (sound.size >= MOST_REMEMBERED) sound.clear();
  sound.add(name);
  return true;
}

/** Whether a value holds no control character: it ends no line of a head in HTTP/1.1. */
export function isFieldValue(value: string): boolean {
  return VALUE.test(value);
}

/** The lines of a scanned head that are passed on. What frames its body or names its host is said in other words in HTTP/2. */
export function keptFields(b: Buffer, fields: Fields): FieldList {
  const list: FieldList = [];
  let p = fields.linesStart;
  for (let i = 0; i < fields.dropCount; i += 2) {
    addLines(b, p, fields.drops[i]!, list);
    p = fields.drops[i + 1]!;
  }
  addLines(b, p, fields.linesEnd, list);
  if (fields.contentLength !== -1 && !fields.framingKept)
    list.push('content-length', String(fields.contentLength));
  return list;
}

/** Adds the header lines in `[start, end)`, each with its CRLF, to a list. */
export function addLines(b: Buffer, start: number, end: number, list: FieldList): void {
  if (start >= end) return;
  const text = b.toString('latin1', start, end);
  for (let p = 0; p < text.length; ) {
    const colon = text.indexOf(':', p);
    const lineEnd = text.indexOf('\r\n', colon);
    const name = text.slice(p, colon).toLowerCase();
    if (name !== 'host' && name !== 'transfer-encoding') list.push(name, trimmed(text, colon + 1, lineEnd));
    p = lineEnd + 2;
  }
}

/** Names whose values are kept out of the tables of every connection (RFC 7541 §7.1.3), as their sender wanted. */
export function secretNames(fields: IncomingHttpHeaders): readonly string[] {
  return (fields as { readonly [sensitiveHeaders]?: readonly string[] })[sensitiveHeaders] ?? [];
}

export function keepSecret(list: FieldList, names: readonly string[]): FieldList {
  return names.length === 0 ? list : Object.assign(list, { [sensitiveHeaders]: names });
}

const SP = 0x20;
const TAB = 0x09;

function trimmed(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(c: number): boolean {
  return c === SP || c === TAB;
}
