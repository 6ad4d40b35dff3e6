// Turns what lib/vault-layout makes of a layout of markers into templates of Terraform.

const IF = '\u0001';
const FI = '\u0002';

/**
 * `text`, with the lines that `other` has not behind a condition.
 * @param {string} condition @param {string} text @param {string} other
 * @param {(line: string) => string} as how a line of `other` stands in `text`
 */
export function choose(condition, text, other, as = (line) => line) {
  const rest = other.split(/(?<=\n)/);
  let made = '';
  let open = false;
  for (const line of text.split(/(?<=\n)/)) {
    const common = rest[0] !== undefined && line === as(rest[0]);
    if (common === open) made += open ? `${IF}${FI}` : `${IF}${condition}${FI}`;
    open = !common;
    made += (common ? rest.shift() : undefined) ?? line;
  }
  if (rest.length > 0) throw new Error(`${condition} does more to a policy than add to it`);
  return made;
}

/** The template, with expressions in the place of markers. @param {string} text @param {readonly (readonly [marker: string, expression: string])[]} markers */
export function toTemplate(text, markers) {
  let made = escaped(text);
  for (const [marker, expression] of markers) made = made.replaceAll(marker, () => expression);
  made = made.replaceAll(`${IF}${FI}`, '%{ endif }').replaceAll(IF, '%{ if ').replaceAll(FI, ' }');
  return unmarked(made);
}

/** As a template's plain text. @param {string} text */
export function escaped(text) {
  return text.replaceAll('${', () => '$${').replaceAll('%{', '%%{');
}

/** @param {string} text */
export function unmarked(text) {
  if (/marker|1111|2222|3333/.test(text)) throw new Error(`a marker is left in ${text}`);
  return text;
}

/** A list in HCL of each item's expression. @param {string} list @param {string} item */
export function each(list, item) {
  return `[\${join(", ", [for item in ${list} : jsonencode(${item})])}]`;
}
