/** W3C Trace Context §3.3.1.1: at most so many, of whatever length; so many characters have to be passed on (§3.3.1.5). */
const MOST_MEMBERS = 32;
const MOST_CHARACTERS = 512;
/** Members longer than this go first where there is too much. */
const LONG_MEMBER = 128;

const KEY = /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})$/;
/** Printable, without `,` and `=`, not ending in a space. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads `tracestate` from its header lines in their order, and writes it as one. What is not one by the letter (§3.3.1) is dropped as a whole;
 * of one that is too long, what a vendor could do best without. Empty: there is none to pass on.
 */
export function readTraceState(lines: readonly string[]): string {
  const members: string[] = [];
  const keys = new Set<string>();
  for (const piece of lines.flatMap((line) => line.split(','))) {
    const member = piece.replace(/^[ \t]+|[ \t]+$/g, '');
    if (member === '') continue;
    const equals = member.indexOf('=');
    const key = member.slice(0, Math.max(0, equals));
    if (!KEY.test(key) || !VALUE.test(member.slice(equals + 1)) || keys.has(key)) return '';
    keys.add(key);
    members.push(member);
    if (members.length > MOST_MEMBERS) return '';
  }
  return fitting(members);
}

function fitting(members: string[]): string {
  let length = members.reduce((sum, { length: own }) => sum + own + 1, -1);
  const drop = (at: number) => {
    length -= members.splice(at, 1)[0]!.length + 1;
  };
  for (let at = members.length - 1; at >= 0 && length > MOST_CHARACTERS; at--)
    if (members[at]!.length > LONG_MEMBER) drop(at);
  while (length > MOST_CHARACTERS) drop(members.length - 1);
  return members.join(',');
}
