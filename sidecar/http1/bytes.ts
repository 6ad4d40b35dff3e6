/**
 * What each byte may be (RFC 9110 §5.6.2, RFC 9112, RFC 3986), as tables of 256: one load per byte instead of a chain of comparisons.
 */
const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function table(fill: (at: Uint8Array) => void): Uint8Array {
  const at = new Uint8Array(256);
  fill(at);
  return at;
}

function mark(at: Uint8Array, characters: string, value: number): void {
  for (const c of characters) at[c.charCodeAt(0)] = value;
}

export const SP = 0x20;
export const TAB = 0x09;
export const CR = 0x0d;
export const LF = 0x0a;
export const COLON = 0x3a;
export const SLASH = 0x2f;
export const DOT = 0x2e;
export const PERCENT = 0x25;
export const QUESTION = 0x3f;
export const COMMA = 0x2c;

/** Token characters: 1 a letter, a digit or `-`; 2 every other one (such names may alias others, see `FOLD`); 0 none. */
export const TOKEN = table((at) => {
  mark(at, `${ALPHANUMERIC}-`, 1);
  mark(at, "!#$%&'*+.^_`|~", 2);
});

/** Characters of a field value: visible ASCII, space, tab and obs-text. No control character. */
export const FIELD_VALUE = table((at) => {
  at.fill(1, 0x20);
  at[0x7f] = 0;
  at[TAB] = 1;
});

/** A method is capitals and `-`: no app can take `get` for `GET` after policy took them for two. */
export const METHOD = table((at) => mark(at, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ-', 1));

/** Visible ASCII: all that may stand in a request target. */
export const VISIBLE = table((at) => at.fill(1, 0x21, 0x7f));

export const LOWER = table((at) => {
  for (let i = 0; i < 256; i++) at[i] = i >= 0x41 && i <= 0x5a ? i | 0x20 : i;
});

/** How the loosest of apps reads a header name: case gone and all that is no letter or digit one and the same. */
export const FOLD = table((at) => {
  at.fill(0x2d);
  for (const c of ALPHANUMERIC) at[c.charCodeAt(0)] = c.toLowerCase().charCodeAt(0);
});

/** The value of a hex digit, 255 for any other byte. */
export const HEX = table((at) => {
  at.fill(255);
  for (const [i, c] of [...'0123456789abcdef'].entries()) {
    at[c.charCodeAt(0)] = i;
    at[c.toUpperCase().charCodeAt(0)] = i;
  }
});

/** A host and port as they may stand in `Host`: names, IPv4, bracketed IPv6. */
export const HOST = table((at) => mark(at, `${ALPHANUMERIC}-._:[]`, 1));

export const PLAIN = 1;
export const ENCODE = 2;
/**
 * Path bytes: `PLAIN` stands for itself; `ENCODE` has one canonical spelling, its escape; `/ . % ?` stand for their own value, for the
 * scanner to look at; 0 is refused: controls, space, bytes over 0x7e, and `\ # ;`, which apps read in more than one way.
 */
export const PATH = table((at) => {
  mark(at, `${ALPHANUMERIC}-_~!$&'()*+,=:@`, PLAIN);
  mark(at, '"<>[]^`{|}', ENCODE);
  for (const c of [SLASH, DOT, PERCENT, QUESTION]) at[c] = c;
});
