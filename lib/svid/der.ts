import { SvidError } from './error.ts';

/** One DER element. `children` is null for a primitive one. All bytes are views into the input. */
export type DerNode = {
  readonly tag: number;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
  readonly children: readonly DerNode[] | null;
};

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const CONSTRUCTED = 0x20;
const CONTEXT_CLASS = 0x80;
const MAX_DEPTH = 16;
const MAX_NODES = 4096;
/** Universal primitives whose content any bytes may be here: the legacy string types of names. */
const OPAQUE = new Set([TAG.octetString, 0x12, 0x13, 0x14, 0x16, 0x1a, 0x1c, 0x1e] as number[]);

/**
 * Reads exactly one DER element (X.690 §8 and §10), and refuses whatever BER would let two readers disagree on: indefinite or
 * padded lengths, constructed strings, padded integers, odd booleans, bytes after the end.
 * @throws SvidError `SVID_MALFORMED`
 */
export function parseDer(bytes: Uint8Array): DerNode {
  const budget = { nodes: MAX_NODES };
  const node = readNode(bytes, 0, 0, budget);
  if (node.whole.length !== bytes.length) throw malformed('bytes after the end');
  return node;
}

/** The error for everything in this folder that does not parse. */
export function malformed(what: string, options?: ErrorOptions): SvidError {
  return new SvidError('SVID_MALFORMED', `malformed certificate: ${what}`, options);
}

/** The children of a constructed element of this tag. */
export function childrenOf(node: DerNode | undefined, tag: number, what: string): readonly DerNode[] {
  if (node === undefined || node.tag !== tag || node.children === null) throw malformed(`bad ${what}`);
  return node.children;
}

/** The content of a primitive element of this tag. */
export function contentOf(node: DerNode | undefined, tag: number, what: string): Uint8Array {
  if (node === undefined || node.tag !== tag || node.children !== null) throw malformed(`bad ${what}`);
  return node.content;
}

/** Dotted form of an object identifier's content. */
export function oidText(content: Uint8Array): string {
  const arcs: number[] = [];
  let value = 0;
  for (const byte of content) {
    if (value >= 2 ** 45) throw malformed('object identifier arc too large');
    value = value * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    if (arcs.length === 0) {
      const first = Math.min(Math.floor(value / 40), 2);
      arcs.push(first, value - first * 40);
    } else arcs.push(value);
    value = 0;
  }
  return arcs.join('.');
}

function readNode(bytes: Uint8Array, start: number, depth: number, budget: { nodes: number }): DerNode {
  if (depth > MAX_DEPTH) throw malformed('nested too deep');
  if (--budget.nodes < 0) throw malformed('too many elements');
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined) throw malformed('cut off');
  if ((tag & 0x1f) === 0x1f) throw malformed('long-form tag');
  let contentStart = start + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes === 0 || lengthBytes > 2) throw malformed('bad length');
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[contentStart++] ?? Number.NaN);
    const least = lengthBytes === 1 ? 0x80 : 0x100;
    if (!(length >= least)) throw malformed('bad length');
  }
  const end = contentStart + length;
  if (end > bytes.length) throw malformed('cut off');
  const content = bytes.subarray(contentStart, end);
  const children = (tag & CONSTRUCTED) === 0 ? null : readChildren(content, depth + 1, budget);
  checkContent(tag, content);
  return { tag, whole: bytes.subarray(start, end), content, children };
}

function readChildren(content: Uint8Array, depth: number, budget: { nodes: number }): DerNode[] {
  const children: DerNode[] = [];
  for (let at = 0; at < content.length; ) {
    const child = readNode(content, at, depth, budget);
    children.push(child);
    at += child.whole.length;
  }
  return children;
}

function checkContent(tag: number, content: Uint8Array): void {
  const kind = tag & 0xc0;
  if (kind === CONTEXT_CLASS) return;
  if (kind !== 0) throw malformed('application or private tag');
  switch (tag) {
    case TAG.sequence:
    case TAG.set:
      return;
    case TAG.boolean:
      if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw malformed('bad boolean');
      return;
    case TAG.integer:
    case 0x0a:
      checkInteger(content);
      return;
    case TAG.bitString:
      checkBitString(content);
      return;
    case TAG.null:
      if (content.length !== 0) throw malformed('bad null');
      return;
    case TAG.oid:
      checkOid(content);
      return;
    case TAG.utf8String:
      checkUtf8(content);
      return;
    case TAG.utcTime:
    case TAG.generalizedTime:
      return;
    default:
      if (!OPAQUE.has(tag)) throw malformed(`unexpected tag 0x${tag.toString(16)}`);
  }
}

function checkInteger(content: Uint8Array): void {
  const [a, b] = content;
  if (a === undefined) throw malformed('empty integer');
  if (b === undefined) return;
  if ((a === 0 && b < 0x80) || (a === 0xff && b >= 0x80)) throw malformed('padded integer');
}

function checkBitString(content: Uint8Array): void {
  const unused = content[0];
  if (unused === undefined || unused > 7 || (unused > 0 && content.length === 1))
    throw malformed('bad bit string');
  const last = content[content.length - 1] ?? 0;
  if (content.length > 1 && (last & ((1 << unused) - 1)) !== 0)
    throw malformed('bit string with padding set');
}

function checkOid(content: Uint8Array): void {
  if (content.length === 0 || (content[content.length - 1]! & 0x80) !== 0)
    throw malformed('bad object identifier');
  let atStart = true;
  for (const byte of content) {
    if (atStart && byte === 0x80) throw malformed('padded object identifier');
    atStart = (byte & 0x80) === 0;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function checkUtf8(content: Uint8Array): void {
  try {
    UTF8.decode(content);
  } catch (cause) {
    throw malformed('not UTF-8', { cause });
  }
}
