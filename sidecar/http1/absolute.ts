import { HOST, LOWER, QUESTION, SLASH } from './bytes.ts';
import { TARGET_AUTHORITY, TARGET_FORM, TARGET_HTTPS } from './refusal.ts';
import { readTarget, type Target } from './target.ts';

/** Where the host and port of an absolute target stand; made lower case there, as those of `Host` are. */
export type Authority = { start: number; end: number };

const HTTP = Buffer.from('http://');
const HTTPS = Buffer.from('https://');
const PORT_80 = Buffer.from(':80');
const ROOT = Buffer.from('/');

/**
 * Reads the absolute-form target at `[start, end)` (RFC 9112 §3.2.2) and brings it into the canonical origin form. Plain HTTP alone: no
 * user name, no other scheme, and a host that could stand in `Host`.
 *
 * @returns 0, or a refusal
 */
export function readAbsolute(
  b: Buffer,
  start: number,
  end: number,
  target: Target,
  authority: Authority,
): number {
  if (!begins(b, start, end, HTTP)) return begins(b, start, end, HTTPS) ? TARGET_HTTPS : TARGET_FORM;
  let p = start + HTTP.length;
  authority.start = p;
  for (; p < end && HOST[b[p]!] === 1; p++) b[p] = LOWER[b[p]!]!;
  authority.end = p;
  if (p === authority.start || (p < end && b[p] !== SLASH && b[p] !== QUESTION)) return TARGET_AUTHORITY;
  const origin = b[p] === SLASH && p < end ? b.subarray(p, end) : Buffer.concat([ROOT, b.subarray(p, end)]);
  const refused = readTarget(origin, 0, origin.length, target);
  target.rewritten ??= origin;
  return refused;
}

/** Whether `Host`, at `[start, end)`, names what the target does; port 80 may go unsaid. */
export function agrees(b: Buffer, authority: Authority, start: number, end: number): boolean {
  return (
    b.compare(
      b,
      start,
      withoutPort80(b, start, end),
      authority.start,
      withoutPort80(b, authority.start, authority.end),
    ) === 0
  );
}

function withoutPort80(b: Buffer, start: number, end: number): number {
  const at = end - PORT_80.length;
  return at > start && b.compare(PORT_80, 0, PORT_80.length, at, end) === 0 ? at : end;
}

function begins(b: Uint8Array, start: number, end: number, scheme: Uint8Array): boolean {
  if (end - start < scheme.length) return false;
  for (let i = 0; i < scheme.length; i++) if (LOWER[b[start + i]!] !== scheme[i]) return false;
  return true;
}
