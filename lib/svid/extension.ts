import type { San, SanKind } from './certificate.ts';
import { childrenOf, contentOf, type DerNode, malformed, oidText, parseDer, TAG } from './der.ts';

export type KeyUsage = 'digitalSignature' | 'keyCertSign' | 'cRLSign' | 'other';

/** The extensions that Signet's checks ask about (RFC 5280 §4.2). */
export type Extensions = {
  readonly sans: readonly San[];
  /** The URI names among `sans`, as written. */
  readonly uriSans: readonly string[];
  readonly sanCritical: boolean;
  readonly isCa: boolean;
  readonly basicConstraintsCritical: boolean;
  /** Null: no limit. */
  readonly pathLength: number | null;
  /** Null: no key usage extension, which allows everything. */
  readonly keyUsage: readonly KeyUsage[] | null;
  readonly keyUsageCritical: boolean;
  /** Dotted object identifiers; null: no such extension. */
  readonly extendedKeyUsage: readonly string[] | null;
  /** Hex. */
  readonly subjectKeyId: string | null;
  readonly authorityKeyId: string | null;
  /** Critical extensions that Signet does not process, and name constraints critical or not; a certificate that has one must be refused. */
  readonly unknownCritical: readonly string[];
};

type Draft = { -readonly [K in keyof Extensions]: Extensions[K] };

const NAME_CONSTRAINTS = '2.5.29.30';
const MAX_EXTENSIONS = 64;
const MAX_SANS = 64;
const SAN_KINDS: Readonly<Record<number, SanKind>> = { 129: 'email', 130: 'dns', 134: 'uri', 135: 'ip' };
const GENERAL_NAME_TAGS = new Set([0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88]);

const READERS: Readonly<Record<string, (draft: Draft, value: DerNode, critical: boolean) => void>> = {
  '2.5.29.14': (draft, value) => {
    draft.subjectKeyId = hex(contentOf(value, TAG.octetString, 'subject key identifier'));
  },
  '2.5.29.15': readKeyUsage,
  '2.5.29.17': readSans,
  '2.5.29.19': readBasicConstraints,
  '2.5.29.35': readAuthorityKeyId,
  '2.5.29.37': (draft, value) => {
    const purposes = childrenOf(value, TAG.sequence, 'extended key usage');
    if (purposes.length === 0) throw malformed('empty extended key usage');
    draft.extendedKeyUsage = purposes.map((p) => oidText(contentOf(p, TAG.oid, 'extended key usage')));
  },
};

/** Reads the `[3]` element of a TBSCertificate; undefined when there is none. */
export function readExtensions(node: DerNode | undefined): Extensions {
  const draft: Draft = {
    sans: [],
    uriSans: [],
    sanCritical: false,
    isCa: false,
    basicConstraintsCritical: false,
    pathLength: null,
    keyUsage: null,
    keyUsageCritical: false,
    extendedKeyUsage: null,
    subjectKeyId: null,
    authorityKeyId: null,
    unknownCritical: [],
  };
  if (node === undefined) return draft;
  const [list, ...rest] = childrenOf(node, 0xa3, 'extensions');
  const extensions = childrenOf(list, TAG.sequence, 'extensions');
  if (rest.length > 0 || extensions.length === 0 || extensions.length > MAX_EXTENSIONS)
    throw malformed('bad extensions');
  const seen = new Set<string>();
  for (const extension of extensions) {
    const { oid, critical, value } = splitExtension(extension);
    if (seen.has(oid)) throw malformed(`extension ${oid} twice`);
    seen.add(oid);
    const read = READERS[oid];
    if (read !== undefined) read(draft, parseDer(value), critical);
    else if (critical || oid === NAME_CONSTRAINTS) draft.unknownCritical = [...draft.unknownCritical, oid];
  }
  return draft;
}

function splitExtension(node: DerNode): { oid: string; critical: boolean; value: Uint8Array } {
  const parts = childrenOf(node, TAG.sequence, 'extension');
  const oid = oidText(contentOf(parts[0], TAG.oid, 'extension'));
  const critical = parts.length === 3;
  if (parts.length < 2 || parts.length > 3) throw malformed('bad extension');
  // DER leaves a default out: an explicit FALSE is an encoding that no strict writer makes.
  if (critical && contentOf(parts[1], TAG.boolean, 'criticality')[0] !== 0xff)
    throw malformed('criticality FALSE spelled out');
  return { oid, critical, value: contentOf(parts[parts.length - 1], TAG.octetString, 'extension') };
}

function readKeyUsage(draft: Draft, value: DerNode, critical: boolean): void {
  const bits = contentOf(value, TAG.bitString, 'key usage');
  const names: KeyUsage[] = [];
  for (let bit = 0; bit < (bits.length - 1) * 8; bit++) {
    if ((bits[1 + (bit >> 3)]! & (0x80 >> (bit & 7))) === 0) continue;
    names.push(bit === 0 ? 'digitalSignature' : bit === 5 ? 'keyCertSign' : bit === 6 ? 'cRLSign' : 'other');
  }
  draft.keyUsage = names;
  draft.keyUsageCritical = critical;
}

function readBasicConstraints(draft: Draft, value: DerNode, critical: boolean): void {
  const parts = [...childrenOf(value, TAG.sequence, 'basic constraints')];
  if (parts[0]?.tag === TAG.boolean) {
    if (contentOf(parts.shift(), TAG.boolean, 'cA')[0] !== 0xff) throw malformed('cA FALSE spelled out');
    draft.isCa = true;
  }
  if (parts.length > 0) {
    const length = contentOf(parts.shift(), TAG.integer, 'path length');
    if (!draft.isCa || length.length !== 1 || length[0]! >= 0x80) throw malformed('bad path length');
    draft.pathLength = length[0]!;
  }
  if (parts.length > 0) throw malformed('bad basic constraints');
  draft.basicConstraintsCritical = critical;
}

function readAuthorityKeyId(draft: Draft, value: DerNode): void {
  for (const part of childrenOf(value, TAG.sequence, 'authority key identifier')) {
    if (part.tag === 0x80) draft.authorityKeyId = hex(part.content);
    else if (part.tag !== 0xa1 && part.tag !== 0x82) throw malformed('bad authority key identifier');
  }
}

function readSans(draft: Draft, value: DerNode, critical: boolean): void {
  const names = childrenOf(value, TAG.sequence, 'subject alternative name');
  if (names.length === 0 || names.length > MAX_SANS) throw malformed('bad subject alternative name');
  draft.sans = names.map((name): San => {
    if (!GENERAL_NAME_TAGS.has(name.tag)) throw malformed('bad subject alternative name');
    const kind = SAN_KINDS[name.tag] ?? 'other';
    const isText = kind === 'uri' || kind === 'dns' || kind === 'email';
    return { kind, value: isText ? asciiText(name.content) : hex(name.content) };
  });
  draft.uriSans = draft.sans.filter((san) => san.kind === 'uri').map((san) => san.value);
  draft.sanCritical = critical;
}

/** IA5String, and of that only the printable part: a NUL or a line break in a name is how parsers are made to disagree. */
function asciiText(content: Uint8Array): string {
  if (content.length === 0) throw malformed('empty name');
  for (const byte of content)
    if (byte < 0x21 || byte > 0x7e) throw malformed('name of other than printable ASCII');
  return String.fromCharCode.apply(null, content as unknown as number[]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
