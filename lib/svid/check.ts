import type { SpiffeId } from '../spiffe/index.ts';
import type { Bundle } from './bundle.ts';
import type { CertificateInfo } from './certificate.ts';

export type LeafCheck = {
  /** Leaf first, then the intermediates; a root at the end is ignored. */
  readonly chainDer: readonly Uint8Array[];
  readonly bundle: Bundle;
  readonly expectedId: SpiffeId;
  readonly ownPublicKeySpkiDer: Uint8Array;
  readonly now: Date;
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
  /** Default 0. */
  readonly maxSkewMs?: number;
  /** `allow` for the broker's certificate alone, which also names hosts. Default `refuse`. */
  readonly otherSans?: 'refuse' | 'allow';
};
export type PeerSvid = { readonly id: SpiffeId; readonly serial: string; readonly notAfter: Date };

export declare function checkLeaf(check: LeafCheck): CheckedLeaf;
export declare function checkPeer(leafDer: Uint8Array, rules: PeerRules): PeerSvid;
