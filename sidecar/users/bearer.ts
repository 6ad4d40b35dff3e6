import type { RequestHead } from '../http1/index.ts';

/** No token; the caller's own business if there is `Authorization` of another kind. */
export const NONE = 0;
export const FOUND = 1;
/** Somebody could take it for another token, or for none. */
export const MALFORMED = 2;

/** Where a token stands in the bytes of the head. */
export type Span = { start: number; end: number };

const NAME = Buffer.from('authorization');
const SCHEME = Buffer.from('bearer');
const [CR, COLON, SP, TAB, EQUALS] = [0x0d, 0x3a, 0x20, 0x09, 0x3d];
const QUESTION = 0x3f;
/** token68 (RFC 9110 §11.2) without its `=`, which only end it. */
const TOKEN68 = new Uint8Array(256);
for (const c of Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~+/'))
  TOKEN68[c] = 1;
/** `Basic …, Bearer …`: two in one line, of which an app may take either. */
const ANOTHER = /(?:^|[\s,;])bearer(?:$|[\s,;=:])/i;

/** Finds the token of RFC 6750 §2.1 among the lines that go to the app. The scheme's case does not matter; all else is to the letter. */
export function findBearer(head: RequestHead, span: Span): number {
  const { bytes: b, linesEnd } = head;
  let found = NONE;
  let lines = 0;
  for (let line = head.linesStart; line < linesEnd; ) {
    let end = b.indexOf(CR, line);
    if (end === -1) end = linesEnd;
    if (isAuthorization(b, line) && !isDropped(head, line)) {
      if (++lines > 1) return MALFORMED;
      found = readValue(b, line + NAME.length + 1, end, span);
      if (found === MALFORMED) return MALFORMED;
    }
    line = end + 2;
  }
  return found;
}

/** RFC 6750 §2.3: what stands in an address is written down in many places. */
export function hasTokenInQuery({ bytes, targetStart, targetEnd }: RequestHead): boolean {
  const at = bytes.indexOf(QUESTION, targetStart);
  if (at === -1 || at >= targetEnd) return false;
  return bytes
    .toString('latin1', at + 1, targetEnd)
    .split(/[&;]/)
    .some((pair) => /^access_token(?:\[|$)/i.test(plain(pair.split('=', 1)[0]!)));
}

function plain(name: string): string {
  return name.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function isAuthorization(b: Uint8Array, line: number): boolean {
  return b[line + NAME.length] === COLON && begins(b, line, NAME);
}

function readValue(b: Buffer, from: number, to: number, span: Span): number {
  let [start, end] = [from, to];
  while (start < end && (b[start] === SP || b[start] === TAB)) start++;
  while (end > start && (b[end - 1] === SP || b[end - 1] === TAB)) end--;
  if (end - start < SCHEME.length || !begins(b, start, SCHEME))
    return ANOTHER.test(b.toString('latin1', start, end)) ? MALFORMED : NONE;
  if (b[start + SCHEME.length] !== SP) return MALFORMED;
  span.start = start + SCHEME.length + 1;
  span.end = end;
  let p = span.start;
  while (p < end && TOKEN68[b[p]!] === 1) p++;
  if (p === span.start) return MALFORMED;
  while (p < end && b[p] === EQUALS) p++;
  return p === end ? FOUND : MALFORMED;
}

function begins(b: Uint8Array, at: number, name: Uint8Array): boolean {
  // letters alone: this bit is their case
  for (let i = 0; i < name.length; i++) if ((b[at + i]! | 0x20) !== name[i]) return false;
  return true;
}

function isDropped({ drops, dropCount }: RequestHead, line: number): boolean {
  for (let i = 0; i < dropCount; i += 2) if (drops[i] === line) return true;
  return false;
}
