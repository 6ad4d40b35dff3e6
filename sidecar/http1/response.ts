import { CR, FIELD_VALUE, LF, SP } from './bytes.ts';
import { Fields, scanFields } from './fields.ts';
import type { HeadLimits } from './limits.ts';
import { RESPONSE_NAMES } from './names.ts';
import * as refusals from './refusal.ts';

/** The head of one response. Reused from response to response: read it before the next scan. */
export class ResponseHead extends Fields {
  start = 0;
  status = 0;
  http11 = true;
}

const VERSION_1 = Buffer.from('HTTP/1.');

/**
 * Scans a response head (RFC 9112 §4) that begins at `start`, as strictly as a request's: a response that two parsers read in two ways
 * poisons whoever shares the connection. The version is set to HTTP/1.1 in place, for it is this hop's.
 *
 * @returns the position where the body begins, NEED_MORE, or a refusal
 */
export function scanResponse(
  b: Buffer,
  start: number,
  available: number,
  limits: HeadLimits,
  head: ResponseHead,
): number {
  const end = Math.min(available, start + limits.headBytes);
  const result = scanLine(b, start, end, limits, head);
  return result === refusals.NEED_MORE && end - start === limits.headBytes ? refusals.HEAD_LARGE : result;
}

function scanLine(b: Buffer, start: number, end: number, limits: HeadLimits, head: ResponseHead): number {
  let p = start;
  for (let i = 0; i < VERSION_1.length; i++, p++) {
    if (p >= end) return refusals.NEED_MORE;
    if (b[p] !== VERSION_1[i]) return refusals.STATUS_LINE;
  }
  if (p + 6 > end) return refusals.NEED_MORE;
  const minor = b[p]! - 0x30;
  const x = b[p + 2]! - 0x30;
  const y = b[p + 3]! - 0x30;
  const z = b[p + 4]! - 0x30;
  if ((minor !== 0 && minor !== 1) || b[p + 1] !== SP) return refusals.STATUS_LINE;
  if (x < 1 || x > 5 || y < 0 || y > 9 || z < 0 || z > 9) return refusals.STATUS_LINE;
  head.start = start;
  head.http11 = minor === 1;
  head.status = x * 100 + y * 10 + z;
  const version = p;
  p += 5;
  if (b[p] !== SP && b[p] !== CR) return refusals.STATUS_LINE;
  while (p < end && FIELD_VALUE[b[p]!] === 1) p++;
  if (p >= end) return refusals.NEED_MORE;
  if (b[p] !== CR) return refusals.STATUS_LINE;
  if (p + 1 >= end) return refusals.NEED_MORE;
  if (b[p + 1] !== LF) return refusals.STATUS_LINE;
  const result = scanFields(b, p + 2, end, RESPONSE_NAMES, limits.fields, head);
  if (result <= 0) return result;
  if (head.chunked && (head.contentLength !== -1 || !head.http11)) return refusals.FRAMED_TWICE;
  b[version] = 0x31;
  return result;
}
