import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import {
  type CertificateInfo,
  isAcceptedSignature,
  readCertificate,
  SvidError,
} from '../../lib/svid/index.ts';
import { refused } from './refused.ts';

export type Certificate = {
  readonly der: Uint8Array;
  readonly info: CertificateInfo;
  readonly key: KeyObject;
};

/** An authority that is believed; of its own issuer nothing is asked. */
export type Anchor = Certificate & { readonly fingerprint: string };

/** A path of signatures from the device's certificate to an authority. */
export type Path<A extends Anchor> = {
  readonly leaf: Certificate;
  readonly anchor: A;
  /** Leaf first, each with the certificate that signed it. */
  readonly links: readonly { readonly subject: Certificate; readonly issuer: Certificate }[];
};

/** What the leaf of a path has to be for. */
export type LeafRules = {
  /** Whether its key usage has to allow signatures. */
  readonly signs: boolean;
  /** Its extended key usage, where it has one, names this. */
  readonly purpose: string;
};

export const MOST_CERTIFICATES = 6;
const ANY_PURPOSE = '2.5.29.37.0';

/** `SHA256:` and the hash in hex: how certificates are named, and keys by their SPKI. */
export function hashName(der: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(der).digest('hex')}`;
}

/** Reads one certificate strictly, with a key that may be used. @throws AttestationError */
function readDeviceCertificate(der: Uint8Array): Certificate {
  let info: CertificateInfo;
  let key: KeyObject;
  try {
    info = readCertificate(der);
    key = new X509Certificate(der).publicKey;
  } catch (cause) {
    const why = cause instanceof SvidError ? cause.message : 'its key cannot be read';
    throw refused('DEVICE_MALFORMED', `a certificate cannot be read: ${why}`, { cause });
  }
  if (!isStrong(key))
    throw refused('DEVICE_KEY_WEAK', 'a key is not RSA of 2048 to 8192, P-256, P-384, P-521 or Ed25519');
  return { der, info, key };
}

/** An authority, as a configuration names it. @throws AttestationError */
export function readAnchor(der: Uint8Array): Anchor {
  const certificate = readDeviceCertificate(der);
  return { ...certificate, fingerprint: hashName(certificate.info.spkiDer) };
}

/**
 * Follows a chain, leaf first and each signed by the next, up to the first authority that signed one of it (RFC 5280 §6.1). What stands behind
 * that in the chain is not looked at. Name constraints and policies are not processed: a certificate that has critical ones is refused, and one with
 * name constraints always.
 * @throws AttestationError with the first rule broken
 */
export function followChain<A extends Anchor>(
  chainDer: readonly Uint8Array[],
  anchors: readonly A[],
  rules: LeafRules,
  now: Date,
): Path<A> {
  if (chainDer.length === 0 || chainDer.length > MOST_CERTIFICATES)
    throw refused('DEVICE_MALFORMED', `a chain has 1 to ${MOST_CERTIFICATES} certificates`);
  const [leaf, ...above] = chainDer.map(readDeviceCertificate);
  checkLeaf(leaf!, rules, now);
  const links: { subject: Certificate; issuer: Certificate }[] = [];
  let subject = leaf!;
  for (let depth = 0; ; depth++) {
    const anchor = anchorOf(subject, anchors);
    const issuer = anchor ?? above[depth];
    if (issuer === undefined)
      throw refused('DEVICE_CA_UNKNOWN', 'no authority that is believed signed the chain');
    checkIssuer(issuer, subject, depth, rules, now);
    links.push({ subject, issuer });
    if (anchor !== undefined) return { leaf: leaf!, anchor, links };
    subject = issuer;
  }
}

/** Of several authorities of one name, such as before and after a change of its key, the one whose signature it is. */
function anchorOf<A extends Anchor>(subject: Certificate, anchors: readonly A[]): A | undefined {
  const named = anchors.filter(({ info }) => isNamed(info, subject));
  return named.find((anchor) => signed(anchor, subject)) ?? named[0];
}

function checkLeaf({ info }: Certificate, { signs, purpose }: LeafRules, now: Date): void {
  checkTimes(info, now, 'the certificate of the device');
  checkCritical(info, 'the certificate of the device');
  if (info.isCa || info.keyUsage?.includes('keyCertSign'))
    throw refused('DEVICE_IS_CA', 'the certificate of the device is an authority');
  if (signs && !info.keyUsage?.includes('digitalSignature'))
    throw refused('DEVICE_KEY_USAGE', 'the certificate of the device has no key usage for signatures');
  checkPurpose(info, [purpose], 'the certificate of the device');
}

function checkIssuer(
  issuer: Certificate,
  subject: Certificate,
  depth: number,
  { purpose }: LeafRules,
  now: Date,
): void {
  const { info } = issuer;
  if (!isNamed(info, subject))
    throw refused('DEVICE_CHAIN_BROKEN', 'a certificate of the chain is not by the next one');
  if (!info.isCa) throw refused('DEVICE_ISSUER_NO_CA', 'an issuer is not an authority');
  if (!info.keyUsage?.includes('keyCertSign'))
    throw refused('DEVICE_ISSUER_USAGE', 'an issuer has no key usage for certificates');
  if (info.pathLength !== null && depth > info.pathLength)
    throw refused('DEVICE_PATH_LENGTH', 'the chain is longer than an issuer allows');
  checkTimes(info, now, 'an issuer');
  checkCritical(info, 'an issuer');
  checkPurpose(info, [purpose, ANY_PURPOSE], 'an issuer');
  if (!isAcceptedSignature(subject.info.signatureAlgorithm))
    throw refused(
      'DEVICE_ALGORITHM',
      `signature algorithm ${subject.info.signatureAlgorithm} is not accepted`,
    );
  if (!signed(issuer, subject)) throw refused('DEVICE_SIGNATURE', 'a signature in the chain does not verify');
}

function isNamed(info: CertificateInfo, subject: Certificate): boolean {
  return Buffer.compare(info.subjectDer, subject.info.issuerDer) === 0;
}

function signed(issuer: Certificate, subject: Certificate): boolean {
  try {
    return new X509Certificate(subject.der).verify(issuer.key);
  } catch {
    return false;
  }
}

function checkTimes({ notBefore, notAfter }: CertificateInfo, now: Date, what: string): void {
  if (now < notBefore) throw refused('DEVICE_EARLY', `${what} is valid from ${notBefore.toISOString()}`);
  if (now >= notAfter) throw refused('DEVICE_EXPIRED', `${what} expired at ${notAfter.toISOString()}`);
}

function checkCritical({ unknownCritical: [first] }: CertificateInfo, what: string): void {
  if (first !== undefined) throw refused('DEVICE_CRITICAL', `${what} has the extension ${first}`);
}

function checkPurpose({ extendedKeyUsage: uses }: CertificateInfo, purposes: string[], what: string): void {
  if (uses !== null && !purposes.some((each) => uses.includes(each)))
    throw refused('DEVICE_PURPOSE', `${what} is for other purposes`);
}

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

function isStrong({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): boolean {
  const { modulusLength = 0, namedCurve = '' } = details;
  if (type === 'rsa') return modulusLength >= 2048 && modulusLength <= 8192;
  return type === 'ed25519' || (type === 'ec' && CURVES.has(namedCurve));
}
