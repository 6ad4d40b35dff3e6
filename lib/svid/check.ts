import { parseSpiffeId, type SpiffeId } from '../spiffe/index.ts';
import type { Bundle } from './bundle.ts';
import { type CertificateInfo, readCertificate, sameBytes } from './certificate.ts';
import { checkPath, readChain } from './chain.ts';
import { SvidError } from './error.ts';

export type LeafCheck = {
  /** Leaf first, then the intermediates in any order; a root among them does no harm. */
  readonly chainDer: readonly Uint8Array[];
  readonly bundle: Bundle;
  readonly expectedId: SpiffeId;
  readonly ownPublicKeySpkiDer: Uint8Array;
  readonly now: Date;
  /** Forgives a notBefore that lies this far ahead. Expiry is never stretched. */
  readonly maxSkewMs: number;
};

export type CheckedLeaf = {
  readonly id: SpiffeId;
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly leaf: CertificateInfo;
};

export type PeerRules = {
  readonly trustDomain: string;
  readonly now: Date;
  /** As in `LeafCheck`. Default 0. */
  readonly maxSkewMs?: number;
  /** `allow` for the broker's certificate alone, which also names hosts. Default `refuse`. */
  readonly otherSans?: 'refuse' | 'allow';
};

export type PeerSvid = { readonly id: SpiffeId; readonly serial: string; readonly notAfter: Date };

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/**
 * What a sidecar checks before it publishes the SVID that Vault signed for it: the X509-SVID rules, the ID it was granted, its own
 * key, nothing beside, and a chain to the bundle. Vault counts no URI SANs, so a hostile or broken signer is found here or nowhere.
 * @throws SvidError with the first rule broken
 */
export function checkLeaf(check: LeafCheck): CheckedLeaf {
  const chain = readChain(check.chainDer);
  const leaf = chain[0].info;
  if (!sameBytes(leaf.spkiDer, check.ownPublicKeySpkiDer))
    fail('SVID_WRONG_KEY', 'the certificate is for another key');
  if (!leaf.subjectEmpty) fail('SVID_SUBJECT', 'the certificate has a subject');
  const id = checkSvid(leaf, {
    trustDomain: check.bundle.trustDomain,
    now: check.now,
    maxSkewMs: check.maxSkewMs,
  });
  if (!id.equals(check.expectedId))
    fail('SVID_WRONG_ID', `the certificate is for ${id}, the grant for ${check.expectedId}`);
  checkPath(chain, check.bundle, check.now, check.maxSkewMs);
  return { id, serial: leaf.serial, notBefore: leaf.notBefore, notAfter: leaf.notAfter, leaf };
}

/**
 * What both ends check of a peer's leaf, once per connection, after OpenSSL has verified its chain.
 * @throws SvidError with the first rule broken
 */
export function checkPeer(leafDer: Uint8Array, rules: PeerRules): PeerSvid {
  const leaf = readCertificate(leafDer);
  return { id: checkSvid(leaf, rules), serial: leaf.serial, notAfter: leaf.notAfter };
}

/**
 * The X509-SVID rules for a leaf (X509-SVID §2 to §4), stricter in three points: no SAN of another kind, an extended key usage
 * that names both ends, and no critical extension that is not understood.
 */
export function checkSvid(leaf: CertificateInfo, rules: PeerRules): SpiffeId {
  const id = onlyId(leaf, rules.otherSans ?? 'refuse');
  if (id.trustDomain !== rules.trustDomain) {
    fail('SVID_WRONG_TRUST_DOMAIN', `the certificate is of ${id.trustDomain}, not ${rules.trustDomain}`);
  }
  if (leaf.isCa) fail('SVID_IS_CA', 'the certificate is a CA');
  checkUsage(leaf);
  if (leaf.subjectEmpty && !leaf.sanCritical) {
    fail('SVID_SAN_NOT_CRITICAL', 'no subject, and the subject alternative name is not critical');
  }
  if (leaf.unknownCritical.length > 0) {
    fail('SVID_UNKNOWN_CRITICAL', `critical extension ${leaf.unknownCritical[0]} is not understood`);
  }
  checkTimes(leaf, rules.now, rules.maxSkewMs ?? 0);
  return id;
}

function onlyId(leaf: CertificateInfo, otherSans: 'refuse' | 'allow'): SpiffeId {
  const [uri, ...more] = leaf.uriSans;
  if (uri === undefined) fail('SVID_NO_URI_SAN', 'the certificate has no URI SAN');
  if (more.length > 0) fail('SVID_MANY_URI_SANS', `the certificate has ${leaf.uriSans.length} URI SANs`);
  if (otherSans === 'refuse' && leaf.sans.length > 1) {
    fail('SVID_OTHER_SAN', 'the certificate has names beside its SPIFFE ID');
  }
  try {
    return parseSpiffeId(uri);
  } catch (cause) {
    throw new SvidError('SVID_BAD_ID', 'the URI SAN is not a SPIFFE ID that Signet accepts', { cause });
  }
}

function checkUsage(leaf: CertificateInfo): void {
  const { keyUsage, extendedKeyUsage } = leaf;
  if (keyUsage === null || !leaf.keyUsageCritical || !keyUsage.includes('digitalSignature')) {
    fail('SVID_KEY_USAGE', 'no critical key usage with digitalSignature');
  }
  if (keyUsage.includes('keyCertSign') || keyUsage.includes('cRLSign')) {
    fail('SVID_KEY_USAGE', 'the key may sign certificates or CRLs');
  }
  if (!extendedKeyUsage?.includes(SERVER_AUTH) || !extendedKeyUsage.includes(CLIENT_AUTH)) {
    fail('SVID_EXTENDED_KEY_USAGE', 'the extended key usage does not name both server and client');
  }
}

function checkTimes(leaf: CertificateInfo, now: Date, skewMs: number): void {
  if (now.getTime() + skewMs < leaf.notBefore.getTime()) {
    fail('SVID_NOT_YET_VALID', `the certificate is valid from ${leaf.notBefore.toISOString()}`);
  }
  if (now >= leaf.notAfter) fail('SVID_EXPIRED', `the certificate expired at ${leaf.notAfter.toISOString()}`);
}

function fail(code: SvidError['code'], message: string): never {
  throw new SvidError(code, message);
}
