import { DOT, ENCODE, HEX, PATH, PERCENT, PLAIN, QUESTION, SLASH, VISIBLE } from './bytes.ts';
import {
  TARGET_BYTE,
  TARGET_DOTS,
  TARGET_EMPTY,
  TARGET_ESCAPE,
  TARGET_FORM,
  TARGET_UTF8,
} from './refusal.ts';

/** A request target in its one canonical form. */
export class Target {
  /** The path, without the query: what policy judges. */
  path = '';
  /** The whole target when it had to be rewritten, null when the bytes received are canonical. */
  rewritten: Buffer | null = null;
}

const HASH = 0x23;
const BACKSLASH = 0x5c;
const UPPER_HEX = Buffer.from('0123456789ABCDEF');

/**
 * Reads the origin-form target at `[start, end)` into `target`. Canonical form: escapes only where a byte may not stand for itself, in
 * capitals; every visible byte that RFC 3986 does not allow in a path, escaped. What could be read as another path is refused, not mended: empty,
 * `.` and `..` segments, escaped slashes, backslashes and controls, escapes of escapes of these, `\`, `#`, `;` (Java containers cut
 * a segment there), escapes that are not UTF-8. The query goes through as it is, but for `#`.
 *
 * @returns 0, or a refusal
 */
export function readTarget(b: Buffer, start: number, end: number, target: Target): number {
  if (b[start] !== SLASH) return TARGET_FORM;
  let rewrite = false;
  let p = start;
  scan: for (; p < end; p++) {
    switch (PATH[b[p]!]) {
      case PLAIN:
        break;
      case SLASH:
        if (p > start && b[p - 1] === SLASH) return TARGET_EMPTY;
        break;
      case DOT:
        if (b[p - 1] === SLASH && isDots(b, p, end)) return TARGET_DOTS;
        break;
      case PERCENT:
      case ENCODE:
        rewrite = true;
        break;
      case QUESTION:
        break scan;
      default:
        return TARGET_BYTE;
    }
  }
  for (let q = p; q < end; q++) if (VISIBLE[b[q]!] !== 1 || b[q] === HASH) return TARGET_BYTE;
  if (rewrite) return rewriteTarget(b, start, p, end, target);
  target.path = b.toString('latin1', start, p);
  target.rewritten = null;
  return 0;
}

/** Whether the segment that begins with the dot at `p` is `.` or `..`. */
function isDots(b: Uint8Array, p: number, end: number): boolean {
  const after = p + 1 < end && b[p + 1] === DOT ? p + 2 : p + 1;
  return after >= end || b[after] === SLASH || b[after] === QUESTION;
}

function rewriteTarget(b: Buffer, start: number, pathEnd: number, end: number, target: Target): number {
  const out = Buffer.allocUnsafe((pathEnd - start) * 3 + (end - pathEnd));
  let o = 0;
  let escaped = false;
  for (let p = start; p < pathEnd; p++) {
    let c = b[p]!;
    if (c === PERCENT) {
      c = escapedByte(b, p, pathEnd);
      if (c < 0x20 || c === 0x7f || c === SLASH || c === BACKSLASH || hidesAnother(b, p, c, pathEnd))
        return TARGET_ESCAPE;
      p += 2;
      if (PATH[c] === PLAIN || c === DOT) {
        out[o++] = c;
        continue;
      }
      escaped ||= c > 0x7f;
    } else if (PATH[c] !== ENCODE) {
      out[o++] = c;
      continue;
    }
    out[o++] = PERCENT;
    out[o++] = UPPER_HEX[c >> 4]!;
    out[o++] = UPPER_HEX[c & 15]!;
  }
  for (let p = 1; p < o; p++)
    if (out[p] === DOT && out[p - 1] === SLASH && isDots(out, p, o)) return TARGET_DOTS;
  const path = out.toString('latin1', 0, o);
  if (escaped && !isUtf8(path)) return TARGET_UTF8;
  o += b.copy(out, o, pathEnd, end);
  target.path = path;
  target.rewritten = out.subarray(0, o);
  return 0;
}

/** The byte that the escape at `p` stands for; -1, which is refused like a control character, if it is broken. */
function escapedByte(b: Uint8Array, p: number, end: number): number {
  if (p + 2 >= end) return -1;
  const [high, low] = [HEX[b[p + 1]!]!, HEX[b[p + 2]!]!];
  return high > 15 || low > 15 ? -1 : high * 16 + low;
}

/** An escaped `%` before the digits of a byte that may not be escaped: an app that decodes twice would read it. */
function hidesAnother(b: Uint8Array, p: number, c: number, end: number): boolean {
  if (c !== PERCENT || p + 4 >= end) return false;
  const [high, low] = [HEX[b[p + 3]!]!, HEX[b[p + 4]!]!];
  if (high > 15 || low > 15) return false;
  const hidden = high * 16 + low;
  return (
    hidden < 0x20 ||
    hidden === 0x7f ||
    hidden === SLASH ||
    hidden === BACKSLASH ||
    hidden === DOT ||
    hidden === PERCENT
  );
}

function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
