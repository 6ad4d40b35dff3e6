import type { OutgoingHttpHeaders } from 'node:http2';
import type { Refusal } from '../http1/index.ts';
import { isTrailerName } from '../http1/index.ts';
import { type FieldList, isFieldName, isFieldValue } from './fields.ts';
import * as refusals from './refusals.ts';

const MOST_BYTES = 16_384;
const allowed = new Map<string, boolean>();
const MOST_REMEMBERED = 1_024;

/** Judges a trailer section by the rules of HTTP/1.1's. @returns null when it may pass */
export function judgeTrailers(raw: readonly string[]): Refusal | null {
  let bytes = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i]!, raw[i + 1]!];
    bytes += name.length + value.length;
    if (!isFieldName(name) || !isFieldValue(value) || bytes > MOST_BYTES) return refusals.TRAILER;
    if (!mayTrail(name)) return refusals.TRAILER_NAME;
  }
  return null;
}

/** Trailers as node:http2 wants them. */
export function trailerObject(list: readonly string[]): OutgoingHttpHeaders {
  const object: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < list.length; i += 2) {
    const [name, value] = [list[i]!, list[i + 1]!];
    const earlier = object[name];
    if (earlier === undefined) object[name] = value;
    else object[name] = typeof earlier === 'string' ? [earlier, value] : [...earlier, value];
  }
  return object;
}

/** Trailers as the end of a chunked body. */
export function trailerLines(list: FieldList): Buffer {
  let lines = '0\r\n';
  for (let i = 0; i < list.length; i += 2) lines += `${list[i]}: ${list[i + 1]}\r\n`;
  return Buffer.from(`${lines}\r\n`, 'latin1');
}

function mayTrail(name: string): boolean {
  const known = allowed.get(name);
  if (known !== undefined) return known;
  if (allowed.size >= MOST_REMEMBERED) allowed.clear();
  const may = isTrailerName(name);
  allowed.set(name, may);
  return may;
}
