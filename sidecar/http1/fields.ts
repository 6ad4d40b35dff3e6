import { COLON, COMMA, CR, FIELD_VALUE, LF, LOWER, SP, TAB, TOKEN } from './bytes.ts';
import { dropNominated, hasAliases } from './field-lines.ts';
import { readHost } from './host.ts';
import * as names from './names.ts';
import * as refusals from './refusal.ts';

/** No configuration may ask for more header lines than this. */
export const MOST_FIELDS = 256;
const MOST_NOMINATED = 16;

/** What the header lines of one message say about it. Reused from message to message: read it before the next scan. */
export class Fields {
  /** Where the header lines begin, and the blank line after them. */
  linesStart = 0;
  linesEnd = 0;
  /** -1 when there is none. */
  contentLength = -1;
  lengthStart = 0;
  lengthEnd = 0;
  chunked = false;
  /** The line that frames the body stands among those kept, in its plainest spelling; otherwise the writer adds it anew. */
  framingKept = false;
  close = false;
  keepAlive = false;
  /** `timeout` of a `Keep-Alive` header in seconds, -1 when there is none. */
  keepAliveSeconds = -1;
  /** A protocol is asked for that is not served on any terms. */
  upgrade = false;
  /** `Upgrade` lines, and whether one of them says `websocket` and nothing else. */
  upgrades = 0;
  websocket = false;
  /** `Connection` speaks of the upgrade. */
  upgradeNamed = false;
  expect = false;
  hosts = 0;
  hostStart = 0;
  hostEnd = 0;
  /** Lines to leave out, as pairs of start and end, rising. */
  readonly drops = new Int32Array(MOST_FIELDS * 2);
  dropCount = 0;
  /** Names that `Connection` gives to this hop, as pairs of start and end. */
  readonly nominated = new Int32Array(MOST_NOMINATED * 2);
  nominatedCount = 0;

  clear(): void {
    this.contentLength = -1;
    this.chunked = false;
    this.framingKept = false;
    this.close = false;
    this.keepAlive = false;
    this.keepAliveSeconds = -1;
    this.upgrade = false;
    this.upgrades = 0;
    this.websocket = false;
    this.upgradeNamed = false;
    this.expect = false;
    this.hosts = 0;
    this.dropCount = 0;
    this.nominatedCount = 0;
  }
  drop(start: number, end: number): void {
    this.drops[this.dropCount++] = start;
    this.drops[this.dropCount++] = end;
  }

  /** Leaves out one more line, wherever it stands among the others. */
  dropLate(start: number, end: number): void {
    const { drops } = this;
    let at = this.dropCount;
    for (; at > 0 && drops[at - 2]! > start; at -= 2) {
      drops[at] = drops[at - 2]!;
      drops[at + 1] = drops[at - 1]!;
    }
    drops[at] = start;
    drops[at + 1] = end;
    this.dropCount += 2;
  }
}

/**
 * Scans header lines from `p` up to and with the blank line (RFC 9112 §5), strictly: CRLF ends a line, a name touches its colon,
 * nothing is folded, no control character. Fills `fields`.
 *
 * @returns the position after the blank line, NEED_MORE, or a refusal
 */
export function scanFields(
  b: Buffer,
  p: number,
  end: number,
  table: names.NameTable,
  mostFields: number,
  fields: Fields,
): number {
  fields.clear();
  fields.linesStart = p;
  let odd = 0;
  for (let count = 0; ; count++) {
    if (p >= end) return refusals.NEED_MORE;
    if (b[p] === CR) {
      if (p + 1 >= end) return refusals.NEED_MORE;
      if (b[p + 1] !== LF) return refusals.FIELD_NAME;
      fields.linesEnd = p;
      break;
    }
    if (count >= mostFields) return refusals.HEAD_FIELDS;
    const line = p;
    for (let kind: number; p < end && (kind = TOKEN[b[p]!]!) !== 0; p++) odd |= kind;
    if (p >= end) return refusals.NEED_MORE;
    if (b[p] !== COLON || p === line) return refusals.FIELD_NAME;
    const nameEnd = p++;
    while (p < end && FIELD_VALUE[b[p]!] === 1) p++;
    if (p >= end) return refusals.NEED_MORE;
    if (b[p] !== CR) return refusals.FIELD_VALUE_BYTE;
    if (p + 1 >= end) return refusals.NEED_MORE;
    if (b[p + 1] !== LF) return refusals.FIELD_VALUE_BYTE;
    const id = names.nameOf(table, b, line, nameEnd);
    if (id !== names.UNKNOWN) {
      const refused = known(b, id, line, nameEnd, p, fields);
      if (refused !== 0) return refused;
    }
    p += 2;
  }
  if ((odd & 2) !== 0 && hasAliases(b, fields)) return refusals.FIELD_ALIAS;
  return fields.nominatedCount === 0
    ? p + 2
    : dropNominated(b, fields, table)
      ? p + 2
      : refusals.CONNECTION_OPTION;
}

/** Reads one line whose name matters; `lineEnd` is the position of its CRLF. Returns 0 or a refusal. */
function known(
  b: Buffer,
  id: number,
  line: number,
  nameEnd: number,
  lineEnd: number,
  fields: Fields,
): number {
  let start = nameEnd + 1;
  let end = lineEnd;
  while (start < end && (b[start] === SP || b[start] === TAB)) start++;
  while (end > start && (b[end - 1] === SP || b[end - 1] === TAB)) end--;
  const plain = start === nameEnd + 2 && b[nameEnd + 1] === SP && end === lineEnd;
  switch (id) {
    case names.HOST_FIELD:
      return host(b, start, end, fields);
    case names.CONTENT_LENGTH:
      if (fields.contentLength !== -1) return refusals.LENGTH;
      fields.contentLength = decimal(b, start, end);
      if (fields.contentLength === -1) return refusals.LENGTH;
      fields.lengthStart = start;
      fields.lengthEnd = end;
      if (plain) fields.framingKept = true;
      else fields.drop(line, lineEnd + 2);
      return 0;
    case names.TRANSFER_ENCODING:
      if (fields.chunked || !isWord(b, start, end, CHUNKED)) return refusals.TRANSFER;
      fields.chunked = true;
      if (plain) fields.framingKept = true;
      else fields.drop(line, lineEnd + 2);
      return 0;
    case names.CONNECTION:
      fields.drop(line, lineEnd + 2);
      return connection(b, start, end, fields);
    case names.EXPECT:
      if (fields.expect || !isWord(b, start, end, CONTINUE)) return refusals.EXPECTATION;
      fields.expect = true;
      return 0;
    case names.UPGRADE_FIELD:
      fields.upgrades++;
      // h2c is an offer that a server may pass over (RFC 9113 §3.2); any other protocol is meant
      if (isWord(b, start, end, WEBSOCKET)) fields.websocket = true;
      else if (!isWord(b, start, end, H2C)) fields.upgrade = true;
      fields.drop(line, lineEnd + 2);
      return 0;
    case names.KEEP_ALIVE:
      fields.keepAliveSeconds = timeout(b.toString('latin1', start, end));
      fields.drop(line, lineEnd + 2);
      return 0;
    case names.ALIAS:
      return refusals.FIELD_ALIAS;
    default:
      fields.drop(line, lineEnd + 2);
      return 0;
  }
}

const CHUNKED = Buffer.from('chunked');
const CONTINUE = Buffer.from('100-continue');
const H2C = Buffer.from('h2c');
const WEBSOCKET = Buffer.from('websocket');
const CLOSE = Buffer.from('close');
const KEEP = Buffer.from('keep-alive');
const UPGRADE = Buffer.from('upgrade');

function host(b: Buffer, start: number, end: number, fields: Fields): number {
  fields.hosts++;
  if (!readHost(b, start, end)) return refusals.HOST_VALUE;
  fields.hostStart = start;
  fields.hostEnd = end;
  return 0;
}

/** One spelling per number: no sign, no leading zero, at most 15 digits. -1 for anything else. */
function decimal(b: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 15 || (b[start] === 0x30 && end - start > 1)) return -1;
  let n = 0;
  for (let i = start; i < end; i++) {
    const digit = b[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    n = n * 10 + digit;
  }
  return n;
}

function connection(b: Uint8Array, start: number, end: number, fields: Fields): number {
  for (let p = start; p < end; p++) {
    while (p < end && (b[p] === SP || b[p] === TAB || b[p] === COMMA)) p++;
    const word = p;
    while (p < end && TOKEN[b[p]!] !== 0) p++;
    const wordEnd = p;
    while (p < end && (b[p] === SP || b[p] === TAB)) p++;
    if (p < end && b[p] !== COMMA) return refusals.CONNECTION_OPTION;
    if (wordEnd === word) continue;
    if (isWord(b, word, wordEnd, CLOSE)) fields.close = true;
    else if (isWord(b, word, wordEnd, KEEP)) fields.keepAlive = true;
    else if (isWord(b, word, wordEnd, UPGRADE)) fields.upgradeNamed = true;
    else {
      if (fields.nominatedCount >= MOST_NOMINATED * 2) return refusals.CONNECTION_OPTION;
      fields.nominated[fields.nominatedCount++] = word;
      fields.nominated[fields.nominatedCount++] = wordEnd;
    }
  }
  return 0;
}

function timeout(value: string): number {
  const found = /(?:^|[\s,])timeout=(\d{1,6})(?:$|[\s,])/i.exec(value);
  return found === null ? -1 : Number(found[1]);
}

function isWord(b: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (LOWER[b[start + i]!] !== word[i]) return false;
  return true;
}
