/** What a verified signature says about its signer. */
export type SshIdentity = {
  /** `SHA256:` and the unpadded base64 of the key's hash, as `ssh-keygen -l` prints it. Of the bare key, certificate or not. */
  readonly keyFingerprint: string;
  /** The bare key's type: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, … */
  readonly keyType: string;
  readonly certificate?: SshCertificate;
};

/** A host certificate whose CA signature is good. Whether that CA is to be trusted is for the caller to say, by `caFingerprint`. */
export type SshCertificate = {
  readonly caFingerprint: string;
  /** At least one. */
  readonly principals: readonly string[];
  readonly keyId: string;
  /** Decimal: it may exceed 2^53. */
  readonly serial: string;
  readonly validAfter: Date;
  /** Exclusive. `ssh-keygen -V always:forever` gives the last instant a Date can hold. */
  readonly validBefore: Date;
};

/** What a signature is for; it cannot be used for anything else. */
export type SshNamespace = 'signet-attest-v1';

/** A host key that can sign. The key itself cannot be read back. */
export type SshSigner = {
  readonly fingerprint: string;
  readonly keyType: string;
  readonly certificate?: SshCertificate;
  /** An armoured SSHSIG over `message`, with the certificate as its public key where there is one. */
  sign(namespace: SshNamespace, message: Uint8Array): string;
};
