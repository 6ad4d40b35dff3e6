/** No control character, nothing beyond ASCII, and no backslash: what stands between two quotes is the text itself. */
const PLAIN = /^[ -[\]-~]+$/;
const [QUOTE, COLON, COMMA, OPEN, CLOSE] = [0x22, 0x3a, 0x2c, 0x7b, 0x7d];
const [ZERO, NINE] = [0x30, 0x39];
const MOST_DIGITS = 15;

/**
 * Reads a JSON object in its plainest form: texts without escapes and whole numbers, no space between, nothing nested, no name twice.
 * Other objects are as good to JSON, and refused: two readers could take them for two.
 */
export function readFlat(text: string): ReadonlyMap<string, string | number> | null {
  const last = text.length - 1;
  if (last < 1 || text.charCodeAt(0) !== OPEN || text.charCodeAt(last) !== CLOSE || !PLAIN.test(text))
    return null;
  const found = new Map<string, string | number>();
  for (let p = 1; p < last; p++) {
    const nameEnd = text.charCodeAt(p) === QUOTE ? text.indexOf('"', p + 1) : -1;
    if (nameEnd === -1 || text.charCodeAt(nameEnd + 1) !== COLON) return null;
    const name = text.slice(p + 1, nameEnd);
    if (found.has(name)) return null;
    const start = nameEnd + 2;
    const quoted = text.charCodeAt(start) === QUOTE;
    p = quoted ? text.indexOf('"', start + 1) + 1 : digitsEnd(text, start);
    if (p <= start) return null;
    found.set(name, quoted ? text.slice(start + 1, p - 1) : Number(text.slice(start, p)));
    if (p === last) return found;
    if (text.charCodeAt(p) !== COMMA || p + 1 === last) return null;
  }
  return found;
}

/** Where the number at `p` ends, without a sign or a leading zero; 0 if there is none. */
function digitsEnd(text: string, start: number): number {
  let p = start;
  for (let c = text.charCodeAt(p); c >= ZERO && c <= NINE; c = text.charCodeAt(p)) p++;
  const count = p - start;
  return count === 0 || count > MOST_DIGITS || (count > 1 && text.charCodeAt(start) === ZERO) ? 0 : p;
}
