/** W3C Baggage §3.3.2: what has to be passed on, and the most that is. */
const MOST_MEMBERS = 64;
const MOST_BYTES = 8192;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const OCTETS = '[\\x21\\x23-\\x2b\\x2d-\\x3a\\x3c-\\x5b\\x5d-\\x7e]*';
const MEMBER = new RegExp(`^${TOKEN}[ \\t]*=[ \\t]*${OCTETS}$`);
const PROPERTY = new RegExp(`^${TOKEN}(?:[ \\t]*=[ \\t]*${OCTETS})?$`);

/** Whether these header lines are `baggage` by the letter (§3.3.1), within its limits. What is not goes no further. */
export function isBaggage(lines: readonly string[]): boolean {
  const text = lines.join(',');
  if (text.length > MOST_BYTES) return false;
  const members = text.split(',');
  return members.length <= MOST_MEMBERS && members.every(isMember);
}

function isMember(text: string): boolean {
  const [member = '', ...properties] = text.split(';').map(trimmed);
  return MEMBER.test(member) && properties.every((property) => PROPERTY.test(property));
}

/** Letter by letter: a pattern for the blanks at the end begins anew at every blank within, and anybody may send eight thousand of them. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(letter: string | undefined): boolean {
  return letter === ' ' || letter === '\t';
}
