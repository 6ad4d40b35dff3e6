import { hasAttributes, readPublic, TpmError, type TpmPublic } from '../../lib/tpm/index.ts';
import { AttestationError } from '../attestors/attestor.ts';
import { type Anchor, followChain, hashName } from '../devices/chain.ts';
import { refused } from '../devices/refused.ts';

const EK_PURPOSE = '2.23.133.8.1';

export type Keys = { readonly ek: TpmPublic; readonly ak: TpmPublic };

/**
 * The two keys that a TPM speaks with. What the endorsement key is follows from who certified or pinned it; what the attestation key
 * is, the TPM proves by opening a credential made for the name of just this key.
 * @throws AttestationError
 */
export function readKeys({ ek: ekText, ak: akText }: { readonly ek: string; readonly ak: string }): Keys {
  const [ek, ak] = [ekText, akText].map((text) => parsed(() => readPublic(Buffer.from(text, 'base64')))) as [
    TpmPublic,
    TpmPublic,
  ];
  const protects = ['fixedTpm', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'decrypt'] as const;
  if (!ek.encrypts || ek.ecdsa || !hasAttributes(ek, protects, ['sign']))
    throw refused('TPM_EK_KIND', 'the endorsement key is not one that only protects others');
  const attests = ['fixedTpm', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const;
  if (ak.type !== 'ecc' || !ak.ecdsa || ak.encrypts || !hasAttributes(ak, attests, ['decrypt']))
    throw refused(
      'TPM_AK_KIND',
      'the attestation key is not one that its TPM made and that signs only what its TPM says',
    );
  return { ek, ak };
}

/**
 * The authority that certified the endorsement key; undefined where that is not one of those that are believed.
 * @throws AttestationError for a certificate of another key, and for one that no longer holds
 */
export function certifierOf(
  certificate: string,
  ek: TpmPublic,
  authorities: readonly Anchor[],
  now: Date,
): string | undefined {
  try {
    const rules = { signs: false, purpose: EK_PURPOSE };
    const { leaf, anchor } = followChain([Buffer.from(certificate, 'base64')], authorities, rules, now);
    if (leaf.key.equals(ek.key)) return anchor.fingerprint;
  } catch (error) {
    if (error instanceof AttestationError && error.code === 'DEVICE_CA_UNKNOWN') return undefined;
    throw error;
  }
  throw refused('TPM_EK_CERTIFICATE', 'the certificate is for another endorsement key');
}

/** How selectors name an endorsement key. */
export function ekName({ spkiDer }: TpmPublic): string {
  return hashName(spkiDer);
}

/** @throws AttestationError for what cannot be read */
export function parsed<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TpmError)) throw cause;
    throw refused('TPM_MALFORMED', cause.message, { cause });
  }
}
