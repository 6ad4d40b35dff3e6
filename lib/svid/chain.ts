import { X509Certificate } from 'node:crypto';
import type { Bundle } from './bundle.ts';
import { type CertificateInfo, readCertificate, sameBytes } from './certificate.ts';
import { SvidError } from './error.ts';
import { isAcceptedSignature } from './signature.ts';

export type Certificate = { readonly der: Uint8Array; readonly info: CertificateInfo };

const MAX_CHAIN = 8;
/**
 * The certificates of a chain, leaf first, each read.
 * @throws SvidError `SVID_UNTRUSTED` when it is empty or longer than any real chain; what `readCertificate` throws
 */
export function readChain(chainDer: readonly Uint8Array[]): [Certificate, ...Certificate[]] {
  if (chainDer.length === 0 || chainDer.length > MAX_CHAIN) {
    throw untrusted(`a chain has 1 to ${MAX_CHAIN} certificates, this one ${chainDer.length}`);
  }
  const [leaf, ...rest] = chainDer.map((der) => ({ der, info: readCertificate(der) }));
  return [leaf!, ...rest];
}

/**
 * Finds a path of signatures from the leaf to an authority of the bundle (RFC 5280 §6.1), through the other certificates of the
 * chain in whatever order they came. Every authority on the way is a CA that may sign certificates, within its path length and its
 * times (`maxSkewMs` as for the leaf). Name constraints are not processed: an authority that has them is refused.
 * @throws SvidError `SVID_UNTRUSTED`, saying why the nearest candidate did not do
 */
export function checkPath(
  chain: readonly [Certificate, ...Certificate[]],
  bundle: Bundle,
  now: Date,
  maxSkewMs = 0,
): void {
  const [leaf, ...intermediates] = chain;
  const anchors = bundle.authorities.map((der) => ({ der, info: readCertificate(der) }));
  if (anchors.length === 0) throw untrusted(`no authority is trusted for ${bundle.trustDomain}`);
  const search: Search = {
    anchors,
    intermediates,
    trustDomain: bundle.trustDomain,
    now: now.getTime(),
    maxSkewMs,
    why: 'no authority of the bundle issued it',
  };
  if (!reaches(leaf, search, [])) throw untrusted(search.why);
}

type Search = {
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly trustDomain: string;
  readonly now: number;
  readonly maxSkewMs: number;
  why: string;
};

/** `below` holds the intermediates between `subject` and the leaf: no certificate is used twice, so the search ends. */
function reaches(subject: Certificate, search: Search, below: readonly Certificate[]): boolean {
  for (const anchor of search.anchors) {
    if (issued(anchor, subject, below.length, search)) return true;
  }
  return search.intermediates.some(
    (next) =>
      !below.includes(next) &&
      issued(next, subject, below.length, search) &&
      reaches(next, search, [...below, next]),
  );
}

function issued(issuer: Certificate, subject: Certificate, casBelow: number, search: Search): boolean {
  if (!sameBytes(issuer.info.subjectDer, subject.info.issuerDer)) return false;
  const why = authorityFlaw(issuer.info, casBelow, search) ?? signatureFlaw(issuer, subject);
  if (why !== null) search.why = why;
  return why === null;
}

function authorityFlaw(ca: CertificateInfo, casBelow: number, search: Search): string | null {
  if (!ca.isCa) return 'an issuer is not a CA';
  if (ca.keyUsage !== null && !ca.keyUsage.includes('keyCertSign'))
    return 'an issuer may not sign certificates';
  if (ca.pathLength !== null && casBelow > ca.pathLength) return 'the chain is longer than an issuer allows';
  if (ca.unknownCritical.length > 0) return `an issuer has the extension ${ca.unknownCritical[0]}`;
  const { now, maxSkewMs } = search;
  if (now + maxSkewMs < ca.notBefore.getTime() || now >= ca.notAfter.getTime()) {
    return 'an issuer is outside its validity';
  }
  const foreign = ca.uriSans.find((uri) => uri !== `spiffe://${search.trustDomain}`);
  if (foreign !== undefined) return 'an issuer is of another trust domain';
  return null;
}

function signatureFlaw(issuer: Certificate, subject: Certificate): string | null {
  if (!isAcceptedSignature(subject.info.signatureAlgorithm)) {
    return `signature algorithm ${subject.info.signatureAlgorithm} is not accepted`;
  }
  try {
    const key = new X509Certificate(issuer.der).publicKey;
    return new X509Certificate(subject.der).verify(key) ? null : 'a signature in the chain does not verify';
  } catch {
    return 'a key in the chain cannot be used';
  }
}

function untrusted(why: string): SvidError {
  return new SvidError('SVID_UNTRUSTED', `untrusted chain: ${why}`);
}
