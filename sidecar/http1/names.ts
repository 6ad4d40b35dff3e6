import { FOLD, LOWER } from './bytes.ts';

/** What a known header name means to the relay. */
export const UNKNOWN = 0;
export const HOST_FIELD = 1;
export const CONNECTION = 2;
export const CONTENT_LENGTH = 3;
export const TRANSFER_ENCODING = 4;
export const UPGRADE_FIELD = 5;
export const EXPECT = 6;
export const KEEP_ALIVE = 7;
/** Removed: of one hop only, or a word that an app could take for ours or for another request than was judged. */
const DROP = 8;
/** A name that frames or routes the message, spelled so that only some parsers recognise it. */
export const ALIAS = 9;

type Known = { readonly name: Uint8Array; readonly id: number };
/** Known names by their length, up to the longest. */
export type NameTable = readonly (readonly Known[])[];

const FRAMING = {
  connection: CONNECTION,
  'content-length': CONTENT_LENGTH,
  'transfer-encoding': TRANSFER_ENCODING,
  'keep-alive': KEEP_ALIVE,
  upgrade: UPGRADE_FIELD,
} as const;

const HOP = ['proxy-connection', 'proxy-authorization', 'proxy-authenticate', 'te', 'http2-settings'];

/**
 * Headers with which a client speaks for a proxy, or asks an app to serve another request than the one that policy judged.
 * `proxy` becomes HTTP_PROXY in CGI (httpoxy); the workload tokens are between sidecars.
 */
const SPOKEN_FOR_US = [
  'workload-proof-token',
  'workload-identity-token',
  'txn-token',
  'x-forwarded-client-cert',
  'x-forwarded-uri',
  'x-forwarded-host',
  'x-forwarded-method',
  'x-original-url',
  'x-original-uri',
  'x-original-host',
  'x-original-method',
  'x-rewrite-url',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'proxy',
];

/** Fields that may not come after a body (RFC 9110 §6.5.1), beside all that is known in a head. */
const NOT_AFTER_A_BODY = [
  ...['authorization', 'cookie', 'set-cookie', 'www-authenticate', 'trailer', 'max-forwards', 'location'],
  ...['content-type', 'content-encoding', 'content-range', 'content-location', 'range', 'cache-control'],
  ...['age', 'date', 'expires', 'vary', 'retry-after', 'warning', 'pragma'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'],
];

export const REQUEST_NAMES = nameTable({
  ...FRAMING,
  host: HOST_FIELD,
  expect: EXPECT,
  ...dropped([...HOP, ...SPOKEN_FOR_US]),
});

export const RESPONSE_NAMES = nameTable({ ...FRAMING, ...dropped(HOP) });

export const TRAILER_NAMES = nameTable({
  ...FRAMING,
  host: HOST_FIELD,
  expect: EXPECT,
  ...dropped([...HOP, ...SPOKEN_FOR_US, ...NOT_AFTER_A_BODY]),
});

/** Every name that begins so belongs to Signet, in whatever spelling. */
const OWN = Buffer.from('x-signet');

/**
 * What the name at `[start, end)` means. Spellings that fold to a known name (see `FOLD`) count as it: one that is dropped is dropped
 * in all of them, one that frames the message is an `ALIAS` in all but its own.
 */
export function nameOf(table: NameTable, b: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length >= OWN.length && LOWER[b[start]!] === 0x78 && isOwn(b, start, end)) return DROP;
  if (length >= table.length) return UNKNOWN;
  const known = table[length]!;
  next: for (let i = 0; i < known.length; i++) {
    const { name, id } = known[i]!;
    let exact = true;
    for (let j = 0; j < length; j++) {
      const c = b[start + j]!;
      if (FOLD[c] !== name[j]) continue next;
      if (LOWER[c] !== name[j]) exact = false;
    }
    return exact || id === DROP ? id : ALIAS;
  }
  return UNKNOWN;
}

/** Whether a field of this name may come after a body. */
export function isTrailerName(name: string): boolean {
  const bytes = Buffer.from(name, 'latin1');
  return nameOf(TRAILER_NAMES, bytes, 0, bytes.length) === UNKNOWN;
}

function isOwn(b: Uint8Array, start: number, end: number): boolean {
  for (let j = 1; j < OWN.length; j++) if (FOLD[b[start + j]!] !== OWN[j]) return false;
  const after = start + OWN.length;
  return after === end || FOLD[b[after]!] === 0x2d;
}

export function nameTable(names: Readonly<Record<string, number>>): NameTable {
  const longest = Math.max(...Object.keys(names).map((name) => name.length));
  const byLength = Array.from({ length: longest + 1 }, (): Known[] => []);
  for (const [name, id] of Object.entries(names))
    byLength[name.length]!.push({ name: Buffer.from(name), id });
  return byLength;
}

function dropped(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, DROP]));
}
