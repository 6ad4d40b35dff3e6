import { COLON, FOLD, LOWER, SP, TAB } from './bytes.ts';
import type { Fields } from './fields.ts';
import {
  ALIAS,
  CONTENT_LENGTH,
  EXPECT,
  HOST_FIELD,
  type NameTable,
  nameOf,
  TRANSFER_ENCODING,
} from './names.ts';
import type { RequestHead } from './request.ts';

/**
 * Whether two kept lines bear names that an app may take for one (`X_User` beside `X-User`), though they are spelled differently.
 * Runs only for heads in which a name holds more than letters, digits and `-`.
 */
export function hasAliases(b: Buffer, fields: Fields): boolean {
  const spelling = new Map<string, string>();
  return keptLines(b, fields).some(({ start, nameEnd }) => {
    const [folded, own] = [mapped(b, start, nameEnd, FOLD), mapped(b, start, nameEnd, LOWER)];
    const earlier = spelling.get(folded);
    spelling.set(folded, own);
    return earlier !== undefined && earlier !== own;
  });
}

/**
 * Drops the lines that `Connection` names (RFC 9110 §7.6.1). What Signet adds is added afterwards and cannot be named away.
 *
 * @returns false when one of them frames or routes the message and may not be dropped
 */
export function dropNominated(b: Buffer, fields: Fields, table: NameTable): boolean {
  const wanted = new Set<string>();
  for (let i = 0; i < fields.nominatedCount; i += 2) {
    const [start, end] = [fields.nominated[i]!, fields.nominated[i + 1]!];
    const id = nameOf(table, b, start, end);
    if (id === HOST_FIELD || id === CONTENT_LENGTH || id === TRANSFER_ENCODING || id === EXPECT) return false;
    // names are dropped in every spelling: `Content_Length` would take away the line that frames the body
    if (id === ALIAS) return false;
    wanted.add(mapped(b, start, end, FOLD));
  }
  const lines = allLines(b, fields).filter(
    (line) => isDropped(fields, line.start) || wanted.has(mapped(b, line.start, line.nameEnd, FOLD)),
  );
  fields.dropCount = 0;
  for (const { start, end } of lines) fields.drop(start, end);
  return true;
}

/** The values of the kept lines with this name, which is given in lower case. For heads that are few: it builds them all. */
export function fieldValues(b: Buffer, fields: Fields, name: string): string[] {
  return keptLines(b, fields)
    .filter(({ start, nameEnd }) => mapped(b, start, nameEnd, LOWER) === name)
    .map(({ nameEnd, end }) => withoutSpace(b.toString('latin1', nameEnd + 1, end - 2)));
}

/** Whether a kept line bears another name that an app may take for this one, which is given in lower case. */
export function isAliased(b: Buffer, fields: Fields, name: string): boolean {
  const own = Buffer.from(name, 'latin1');
  const folded = mapped(own, 0, own.length, FOLD);
  return keptLines(b, fields).some(
    ({ start, nameEnd }) =>
      nameEnd - start === own.length &&
      mapped(b, start, nameEnd, FOLD) === folded &&
      mapped(b, start, nameEnd, LOWER) !== name,
  );
}

/**
 * The value of the dropped line with this name, which is given in lower case. Null: there is none. Undefined: there are several, or one
 * whose name only some readers take for this.
 */
export function droppedValue(
  { bytes, drops, dropCount }: RequestHead,
  name: Uint8Array,
): string | null | undefined {
  let value: string | null = null;
  for (let i = 0; i < dropCount; i += 2) {
    const start = drops[i]!;
    const nameEnd = start + name.length;
    if (bytes[nameEnd] !== COLON || !matches(bytes, start, name, FOLD)) continue;
    if (value !== null || !matches(bytes, start, name, LOWER)) return undefined;
    let [from, to] = [nameEnd + 1, drops[i + 1]! - 2];
    while (from < to && (bytes[from] === SP || bytes[from] === TAB)) from++;
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === TAB)) to--;
    value = bytes.toString('latin1', from, to);
  }
  return value;
}

function matches(b: Uint8Array, start: number, name: Uint8Array, map: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (map[b[start + i]!] !== name[i]) return false;
  return true;
}

/** Space as HTTP has it: `trim` takes more, which others leave. */
export function withoutSpace(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

type Line = { readonly start: number; readonly nameEnd: number; readonly end: number };

/** The lines of a head already scanned. */
function allLines(b: Buffer, fields: Fields): Line[] {
  const lines: Line[] = [];
  for (let start = fields.linesStart; start < fields.linesEnd; ) {
    const end = b.indexOf('\r\n', start, 'latin1') + 2;
    lines.push({ start, nameEnd: b.indexOf(COLON, start), end });
    start = end;
  }
  return lines;
}

function keptLines(b: Buffer, fields: Fields): Line[] {
  return allLines(b, fields).filter(({ start }) => !isDropped(fields, start));
}

/** Whether the line that begins there is left out. */
export function isDropped(fields: Fields, start: number): boolean {
  for (let i = 0; i < fields.dropCount; i += 2) if (fields.drops[i] === start) return true;
  return false;
}

function mapped(b: Uint8Array, start: number, end: number, map: Uint8Array): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(map[b[i]!]!);
  return text;
}
