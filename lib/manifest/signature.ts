import { verify, X509Certificate } from 'node:crypto';
import { policyId } from '../grant/index.ts';
import { type Bundle, type CertificateInfo, checkPath, readChain } from '../svid/index.ts';
import { DeliveryError, type Kind } from './error.ts';

/** A text with the signature of Vault's transit key `policy`, and the certificates that say whose key that is. */
export type Sealed = {
  readonly text: string;
  /** ES256 in IEEE P1363 form, base64url. */
  readonly signature: string;
  /** Leaf first, DER. */
  readonly chainDer: readonly Uint8Array[];
};

export type Trust = {
  /** The authorities that a verifier was configured with: never those that came with what is verified. */
  readonly bundle: Bundle;
  readonly now: Date;
};

/** A manifest can never be taken for a deny-list, nor anything else that was signed with the key for either. */
const DOMAINS: Readonly<Record<Kind, string>> = {
  manifest: 'signet-policy-manifest-v1\n',
  denylist: 'signet-denylist-v1\n',
};
/** 64 bytes in their one spelling: the four bits that the last letter has left over are zero. */
const SIGNATURE = /^[A-Za-z0-9_-]{85}[AQgw]$/;
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
/** By how much a verifier's clock may be behind the CA's. Expiry is never stretched. */
const SKEW_MS = 300_000;

/** The bytes that are signed. */
export function sealedBytes(kind: Kind, text: string): Buffer {
  return Buffer.from(DOMAINS[kind] + text);
}

/**
 * Verifies that the text was signed by the trust domain's policy key: its certificate chains to an authority of the bundle, is for
 * `…/signet/policy` and nothing else, and is good for signing alone, so that no workload's or broker's certificate will do.
 * @throws DeliveryError `manifest_chain`, `manifest_signature`, or the same of a deny-list
 */
export function checkSeal(kind: Kind, { text, signature, chainDer }: Sealed, { bundle, now }: Trust): void {
  try {
    const chain = readChain(chainDer);
    const flaw = leafFlaw(chain[0].info, bundle.trustDomain, now);
    if (flaw !== null) throw new Error(flaw);
    checkPath(chain, bundle, now, SKEW_MS);
  } catch (cause) {
    throw new DeliveryError(
      `${kind}_chain`,
      `not the policy key's certificate: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
  if (!SIGNATURE.test(signature) || !verifies(chainDer[0]!, sealedBytes(kind, text), signature)) {
    throw new DeliveryError(`${kind}_signature`, 'the signature is not over this text');
  }
}

function leafFlaw(leaf: CertificateInfo, trustDomain: string, now: Date): string | null {
  if (leaf.sans.length !== 1 || leaf.uriSans[0] !== policyId(trustDomain).toString())
    return `its name is not ${policyId(trustDomain)} alone`;
  if (leaf.isCa) return 'it is a CA';
  if (leaf.keyUsage?.join() !== 'digitalSignature' || !leaf.keyUsageCritical)
    return 'its key usage is not digitalSignature alone';
  if (leaf.extendedKeyUsage?.join() !== CODE_SIGNING)
    return 'its extended key usage is not code signing alone';
  if (leaf.unknownCritical.length > 0)
    return `critical extension ${leaf.unknownCritical[0]} is not understood`;
  if (now.getTime() + SKEW_MS < leaf.notBefore.getTime()) return 'it is not valid yet';
  if (now >= leaf.notAfter) return `it expired at ${leaf.notAfter.toISOString()}`;
  return null;
}

function verifies(leafDer: Uint8Array, data: Buffer, signature: string): boolean {
  try {
    const { publicKey } = new X509Certificate(leafDer);
    if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
    const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
    return verify('sha256', data, key, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}
