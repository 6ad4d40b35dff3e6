import { sameBytes } from './certificate.ts';
import { childrenOf, contentOf, malformed, oidText, parseDer, TAG } from './der.ts';
import { readTime } from './der-time.ts';
import { SvidError } from './error.ts';

/** What a certificate revocation list says (RFC 5280 §5); nothing here is checked against a key or a clock. */
export type Crl = {
  /** The name of the authority, as DER. */
  readonly issuerDer: Uint8Array;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | null;
  /** Serial numbers as lower-case hex, two digits a byte, without colons. */
  readonly revoked: ReadonlySet<string>;
  /** Dotted object identifier. */
  readonly algorithm: string;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
};

export const MAX_CRL_BYTES = 8 * 1024 * 1024;

/**
 * Reads one CRL, version 2, from strict DER. A list that is not whole (a delta, or one for some certificates only) marks itself by a
 * critical extension, as does an entry for another authority's certificate: every critical extension is refused.
 * @throws SvidError `SVID_MALFORMED`, `SVID_TOO_LARGE`, and nothing else whatever the bytes are
 */
export function readCrl(der: Uint8Array): Crl {
  if (der.length > MAX_CRL_BYTES)
    throw new SvidError('SVID_TOO_LARGE', `CRL of ${der.length} bytes, the most is ${MAX_CRL_BYTES}`);
  const outer = elementAt(der, 0);
  if (outer.tag !== TAG.sequence || outer.end !== der.length) throw malformed('bad CRL');
  const [tbs, algorithm, signature, ...more] = elementsIn(der, outer, 4);
  if (signature === undefined || more.length > 0 || tbs?.tag !== TAG.sequence)
    throw malformed('CRL of other than three parts');
  const signatureBits = contentOf(parseDer(bytesOf(der, signature)), TAG.bitString, 'signature');
  if (signatureBits[0] !== 0) throw malformed('bad signature');

  const fields = elementsIn(der, tbs, 7);
  const next = () => fields.shift();
  const version = contentOf(parsed(der, next()), TAG.integer, 'version');
  if (version.length !== 1 || version[0] !== 1) throw malformed('not a CRL of version 2');
  const inner = next();
  if (inner === undefined || !sameBytes(bytesOf(der, inner), bytesOf(der, algorithm!)))
    throw malformed('two signature algorithms');
  const issuer = parsed(der, next());
  childrenOf(issuer, TAG.sequence, 'issuer');
  const thisUpdate = readTime(parsed(der, next()));
  const dated = fields[0]?.tag === TAG.utcTime || fields[0]?.tag === TAG.generalizedTime;
  const nextUpdate = dated ? readTime(parsed(der, next())) : null;
  const revoked = fields[0]?.tag === TAG.sequence ? readRevoked(der, next()!) : new Set<string>();
  if (fields.length > 0) checkExtensions(parsed(der, next()));
  if (fields.length > 0) throw malformed('parts after the end of a CRL');
  const [oid] = childrenOf(parsed(der, algorithm), TAG.sequence, 'algorithm');
  return {
    issuerDer: issuer.whole,
    thisUpdate,
    nextUpdate,
    revoked,
    algorithm: oidText(contentOf(oid, TAG.oid, 'algorithm')),
    signed: bytesOf(der, tbs),
    signature: signatureBits.subarray(1),
  };
}

/** Where an element of a list lies. A CRL may be larger than `parseDer` takes, and has far more elements. */
type Element = {
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
};

function elementAt(bytes: Uint8Array, start: number, limit = bytes.length): Element {
  const [tag, first] = [bytes[start], bytes[start + 1]];
  if (tag === undefined || first === undefined || start + 2 > limit) throw malformed('cut off');
  let content = start + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes === 0 || lengthBytes > 3 || content + lengthBytes > limit) throw malformed('bad length');
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + bytes[content++]!;
    if (length < (lengthBytes === 1 ? 0x80 : 256 ** (lengthBytes - 1))) throw malformed('bad length');
  }
  const end = content + length;
  if (end > limit) throw malformed('cut off');
  return { tag, start, content, end };
}

function elementsIn(bytes: Uint8Array, { content, end }: Element, most: number): Element[] {
  const found: Element[] = [];
  for (let at = content; at < end; ) {
    const element = elementAt(bytes, at, end);
    found.push(element);
    if (found.length > most) throw malformed('too many elements');
    at = element.end;
  }
  return found;
}

function bytesOf(bytes: Uint8Array, { start, end }: Element): Uint8Array {
  return bytes.subarray(start, end);
}

function parsed(bytes: Uint8Array, element: Element | undefined) {
  if (element === undefined) throw malformed('cut off');
  return parseDer(bytesOf(bytes, element));
}

function readRevoked(der: Uint8Array, list: Element): Set<string> {
  const revoked = new Set<string>();
  for (let at = list.content; at < list.end; ) {
    const entry = elementAt(der, at, list.end);
    if (entry.tag !== TAG.sequence) throw malformed('bad entry of a CRL');
    const [serial, date, extensions, ...more] = elementsIn(der, entry, 3);
    if (serial?.tag !== TAG.integer || more.length > 0) throw malformed('bad entry of a CRL');
    if (date?.tag !== TAG.utcTime && date?.tag !== TAG.generalizedTime) throw malformed('bad entry of a CRL');
    if (extensions !== undefined) refuseCritical(parsed(der, extensions));
    revoked.add(serialText(der.subarray(serial.content, serial.end)));
    at = entry.end;
  }
  return revoked;
}

/** As certificates have it, a leading zero left out; what no certificate can have matches none. */
function serialText(content: Uint8Array): string {
  if (content.length === 0 || content.length > 64) throw malformed('bad serial number');
  return Buffer.from(content[0] === 0 && content.length > 1 ? content.subarray(1) : content).toString('hex');
}

function checkExtensions(node: ReturnType<typeof parseDer>): void {
  const [list, ...rest] = childrenOf(node, 0xa0, 'CRL extensions');
  if (list === undefined || rest.length > 0) throw malformed('bad CRL extensions');
  refuseCritical(list);
}

function refuseCritical(list: ReturnType<typeof parseDer>): void {
  for (const extension of childrenOf(list, TAG.sequence, 'CRL extensions')) {
    const parts = childrenOf(extension, TAG.sequence, 'CRL extension');
    const oid = oidText(contentOf(parts[0], TAG.oid, 'CRL extension'));
    if (parts.length < 2 || parts.length > 3) throw malformed('bad CRL extension');
    if (parts.length === 3) throw malformed(`a CRL with the critical extension ${oid}`);
  }
}
