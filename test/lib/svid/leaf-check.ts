import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import type { Bundle, LeafCheck } from '../../../lib/svid/index.ts';
import type { TestCertificate } from '../../support/ca.ts';

export const ID = 'spiffe://example.org/ns/shop/sa/web';
export const NOW = new Date('2026-06-01T12:00:00Z');
export const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);
export const uri = (value: string) => ({ type: 'url', value }) as const;
export const lasting = { notBefore: at(-30), notAfter: at(900) };
export const years = { notBefore: at(-86_400), notAfter: at(86_400 * 3650) };
export const bundleOf = (...authorities: TestCertificate[]): Bundle => ({
  trustDomain: 'example.org',
  sequence: 1,
  refreshHintSeconds: null,
  authorities: authorities.map((authority) => authority.der),
});

/** A check that passes unless the leaf or the chain is at fault. */
export function leafCheck(
  leaf: TestCertificate,
  [root, ...intermediates]: [TestCertificate, ...TestCertificate[]],
): LeafCheck {
  return {
    chainDer: [leaf, ...intermediates].map((certificate) => certificate.der),
    bundle: bundleOf(root),
    expectedId: parseSpiffeId(ID),
    ownPublicKeySpkiDer: leaf.spkiDer,
    now: NOW,
    maxSkewMs: 0,
  };
}
