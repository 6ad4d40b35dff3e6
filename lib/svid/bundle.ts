/** The X.509 authorities of one trust domain (SPIFFE Trust Domain and Bundle §4). No authority means: trust nothing. */
export type Bundle = {
  readonly trustDomain: string;
  readonly sequence: number;
  readonly refreshHintSeconds: number | null;
  /** DER, one certificate each. */
  readonly authorities: readonly Uint8Array[];
};
export type BundleJwks = {
  readonly spiffe_sequence: number;
  readonly spiffe_refresh_hint?: number;
  readonly keys: readonly Readonly<Record<string, unknown>>[];
};
export declare function parseBundle(trustDomain: string, json: unknown): Bundle;
export declare function bundleToJwks(bundle: Bundle): BundleJwks;
export declare function bundleToPem(bundle: Bundle): string[];
/** The bundle to keep when `offered` arrives: throws SvidError BUNDLE_ROLLED_BACK when its sequence is lower. */
export declare function newerBundle(current: Bundle, offered: Bundle): Bundle;
/** PEM text (one or more certificates, as Vault's ca_chain or a CA file) to DER. */
export declare function pemToDer(pem: string): Uint8Array[];
