export type SanKind = 'uri' | 'dns' | 'email' | 'ip' | 'other';
export type San = { readonly kind: SanKind; readonly value: string };
export type CertificateInfo = {
  /** As Vault prints it: `3a:0f:…`, lower case. */
  readonly serial: string;
  readonly subjectEmpty: boolean;
  readonly sans: readonly San[];
  readonly uriSans: readonly string[];
  readonly sanCritical: boolean;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spkiDer: Uint8Array;
  readonly isCa: boolean;
};
export declare function readCertificate(der: Uint8Array): CertificateInfo;
