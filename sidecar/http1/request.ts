import { type Authority, agrees, readAbsolute } from './absolute.ts';
import { CR, LF, METHOD, SLASH, SP, VISIBLE } from './bytes.ts';
import { Fields, scanFields } from './fields.ts';
import type { HeadLimits } from './limits.ts';
import { REQUEST_NAMES } from './names.ts';
import * as refusals from './refusal.ts';
import { readTarget, Target } from './target.ts';
import { websocketFlaw } from './websocket.ts';

/** The head of one request. Reused from request to request: read it before the next scan. */
export class RequestHead extends Fields {
  start = 0;
  /** What it was read from. */
  bytes: Buffer = NOTHING;
  method = '';
  targetStart = 0;
  targetEnd = 0;
  readonly target = new Target();
  /** Of an absolute target; its end is 0 for any other. */
  readonly authority: Authority = { start: 0, end: 0 };
  http11 = true;
  /** What it was asked by; a head that came by HTTP/2 was put down as HTTP/1.1 before it was scanned. */
  via: 'http/1' | 'h2' | 'tcp' = 'http/1';

  /** The same for longer than until the next scan, in memory of its own. */
  kept(): RequestHead {
    const [from, kept] = [this.start, new RequestHead()];
    kept.bytes = Buffer.from(this.bytes.subarray(from, this.linesEnd));
    for (const place of [
      'targetStart',
      'targetEnd',
      'linesStart',
      'linesEnd',
      'hostStart',
      'hostEnd',
    ] as const)
      kept[place] = this[place] - from;
    for (let i = 0; i < this.dropCount; i += 2) kept.drop(this.drops[i]! - from, this.drops[i + 1]! - from);
    kept.method = this.method;
    kept.target.path = this.target.path;
    kept.http11 = this.http11;
    kept.via = this.via;
    kept.websocket = this.websocket;
    kept.contentLength = this.contentLength;
    kept.chunked = this.chunked;
    return kept;
  }

  /** The `Host` header, lower case, with its port if it has one. */
  get host(): string {
    return this.bytes.toString('latin1', this.hostStart, this.hostEnd);
  }
}

const NOTHING = Buffer.alloc(0);

const VERSION_1 = Buffer.from(' HTTP/1.');
const LONGEST_METHOD = 24;
/** Methods as constants: no string is made for these. */
const COMMON = ['GET', 'POST', 'PUT', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS'].map((name) => ({
  name,
  bytes: Buffer.from(name),
}));

/**
 * Scans a request head (RFC 9112 §3) that begins at `start`. What one parser could read otherwise than another is refused; the little
 * that has one harmless meaning (case of a host, needless escapes) is brought into canonical form, in place where it fits.
 *
 * @returns the position where the body begins, NEED_MORE, or a refusal; the same wherever the bytes were split on their way
 */
export function scanRequest(
  b: Buffer,
  start: number,
  available: number,
  limits: HeadLimits,
  head: RequestHead,
): number {
  const end = Math.min(available, start + limits.headBytes);
  const result = scanLine(b, start, end, limits, head);
  return result === refusals.NEED_MORE && end - start === limits.headBytes ? refusals.HEAD_LARGE : result;
}

function scanLine(b: Buffer, start: number, end: number, limits: HeadLimits, head: RequestHead): number {
  let p = start;
  while (p < end && METHOD[b[p]!] === 1) p++;
  if (p - start > LONGEST_METHOD) return refusals.REQUEST_LINE;
  if (p >= end) return refusals.NEED_MORE;
  if (b[p] !== SP || p === start) return refusals.REQUEST_LINE;
  head.start = start;
  head.bytes = b;
  head.via = 'http/1';
  head.method = methodName(b, start, p);
  if (head.method === 'CONNECT' || head.method === 'TRACE')
    return limits.absoluteTarget === true && head.method === 'CONNECT'
      ? refusals.CONNECT_REFUSED
      : refusals.METHOD_REFUSED;
  const target = ++p;
  while (p < end && VISIBLE[b[p]!] === 1) p++;
  if (p - target > limits.targetBytes) return refusals.TARGET_LONG;
  if (p >= end) return refusals.NEED_MORE;
  // raw bytes beyond ASCII are a target that cannot be judged, not a request line that cannot be read
  if (b[p]! > 0x7e) return refusals.TARGET_BYTE;
  head.targetStart = target;
  head.targetEnd = p;
  for (let i = 0; i < VERSION_1.length; i++, p++) {
    if (p >= end) return refusals.NEED_MORE;
    if (b[p] !== VERSION_1[i])
      return i === 6 && b[p]! >= 0x30 && b[p]! <= 0x39 ? refusals.VERSION : refusals.REQUEST_LINE;
  }
  if (p + 2 >= end) return refusals.NEED_MORE;
  const minor = b[p]! - 0x30;
  if (b[p + 1] !== CR || b[p + 2] !== LF || minor < 0 || minor > 9) return refusals.REQUEST_LINE;
  if (minor > 1) return refusals.VERSION;
  head.http11 = minor === 1;
  head.authority.end = 0;
  const refused =
    limits.absoluteTarget === true && b[target] !== SLASH
      ? readAbsolute(b, target, head.targetEnd, head.target, head.authority)
      : readTarget(b, target, head.targetEnd, head.target);
  if (refused !== 0) return refused;
  const result = scanFields(b, p + 3, end, REQUEST_NAMES, limits.fields, head);
  return result > 0 ? checked(head, result) : result;
}

/** The rules that bind several lines of one head. */
function checked(head: RequestHead, result: number): number {
  if (head.hosts !== 1) return refusals.HOST_COUNT;
  // without a path it asks about the whole server (RFC 9112 §3.2.4), which is not asked for here
  if (head.method === 'OPTIONS' && head.authority.end === head.targetEnd) return refusals.TARGET_FORM;
  if (head.authority.end !== 0 && !agrees(head.bytes, head.authority, head.hostStart, head.hostEnd))
    return refusals.HOST_TARGET;
  if (head.chunked && (head.contentLength !== -1 || !head.http11)) return refusals.FRAMED_TWICE;
  if (head.expect && !head.http11) return refusals.EXPECTATION;
  if (head.upgrade) return refusals.UPGRADE;
  return head.websocket ? websocketFlaw(head) || result : result;
}

function methodName(b: Buffer, start: number, end: number): string {
  next: for (let i = 0; i < COMMON.length; i++) {
    const { name, bytes } = COMMON[i]!;
    if (bytes.length !== end - start) continue;
    for (let j = 0; j < bytes.length; j++) if (b[start + j] !== bytes[j]) continue next;
    return name;
  }
  return b.toString('latin1', start, end);
}
