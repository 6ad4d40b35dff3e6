import type { Entry, Selectors } from '../../lib/attestation/index.ts';
import { type Defect, SignetError } from '../../lib/errors.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import type { Bundle } from '../../lib/svid/index.ts';
import type { Snapshot } from '../registrations.ts';
import type { JsonSchema } from '../schemas.ts';

/**
 * One kind of evidence. To add a kind, write a file like its neighbours and name it in `index.ts`: its schema is then in the OpenAPI
 * document, and entries may be registered for it.
 */
export interface Attestor {
  /** Its name on the wire: `ssh-host`. */
  readonly method: string;
  /** The front of its selectors, where that is not its name. */
  readonly prefix?: string;
  /** The form of its evidence. Nothing else reaches `verify`. */
  readonly evidence: JsonSchema;
  /**
   * What the evidence proves, and by that nothing about who may be what: that is for the entries.
   * @throws AttestationError when it proves nothing; VaultError, or a Problem, when Vault or another had to be asked and could not be
   */
  verify(evidence: unknown, context: AttestContext): Promise<Verified>;
  /** What makes a well-formed entry of this method unsafe: selectors that anyone could show. Empty for a sound one. */
  entryDefects(entry: Entry): readonly Defect[];
}

export type AttestContext = {
  readonly trustDomain: string;
  /** The bytes that a signed proof covers: this challenge, this trust domain, this connection. */
  readonly proof: Uint8Array;
  /** The address that the connection comes from. */
  readonly address: string;
  /** What the other side showed in the handshake. */
  readonly peer: PeerCertificate | undefined;
  /** The authorities of this moment. */
  readonly bundle: Bundle;
  readonly registered: Snapshot;
  readonly correlationId: string;
  readonly now: Date;
};

export type PeerCertificate = {
  /** Leaf first. */
  readonly chainDer: readonly Uint8Array[];
  /** OpenSSL verified the chain in the handshake, against the bundle of that moment. */
  readonly authorized: boolean;
};

export type Verified = {
  readonly selectors: Selectors;
  /** Given by a renewal: the identity held until now. Matching is then by this and not by the selectors. */
  readonly held?: {
    readonly entry: string;
    readonly id: SpiffeId;
    readonly serial: string;
    /** The selectors' front of the evidence that it began with. */
    readonly began: string;
  };
  /**
   * Makes this evidence unusable a second time, or counts its use. Called when entry and ID are settled and before the grant is
   * asked for, so that no grant is given for what could not be written down.
   * @throws AttestationError, VaultError, DocumentError
   */
  settle?(identity: { readonly entry: Entry; readonly id: SpiffeId }): Promise<InstanceRef>;
  /** Called at the end, however it ended. */
  done?(granted: boolean): void;
};

export type InstanceRef = { readonly id: string; readonly generation: number };

export type AttestationErrorCode =
  | 'EVIDENCE_INVALID'
  | 'CERTIFICATE_MISSING'
  | 'CERTIFICATE_UNTRUSTED'
  | 'CERTIFICATE_INVALID'
  | 'JOIN_CODE_INVALID'
  | 'JOIN_CODE_FOREIGN'
  | 'JOIN_CODE_EXPIRED'
  | 'JOIN_CODE_SPENT'
  | 'JOIN_NO_ENTRY'
  | 'INSTANCE_UNKNOWN'
  | 'INSTANCE_LOCKED'
  | 'INSTANCE_CLONED'
  | 'CLUSTER_UNKNOWN'
  | 'CLUSTER_UNCLEAR'
  | 'TOKEN_AUDIENCE'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_EARLY'
  | 'TOKEN_FOREIGN'
  | 'TOKEN_INVALIDATED'
  | 'TOKEN_ACCOUNT'
  | 'TOKEN_NO_POD'
  | 'TOKEN_NO_NODE'
  | 'POD_GONE'
  | 'POD_REPLACED'
  | 'POD_FINISHED'
  | 'POD_OVERDUE'
  | 'POD_ACCOUNT'
  | 'POD_MOVED'
  | 'POD_ELSEWHERE'
  | DeviceErrorCode
  | TpmErrorCode
  | AwsErrorCode;

export type AwsErrorCode =
  | 'AWS_MALFORMED'
  | 'AWS_REGION'
  | 'AWS_UNTRUSTED'
  | 'AWS_CERTIFICATE'
  | 'AWS_PROOF'
  | 'AWS_LATE';

export type TpmErrorCode =
  | 'TPM_MALFORMED'
  | 'TPM_EK_KIND'
  | 'TPM_EK_CERTIFICATE'
  | 'TPM_AK_KIND'
  | 'TPM_CREDENTIAL'
  | 'TPM_QUOTE_FOREIGN'
  | 'TPM_QUOTE_SIGNATURE';

export type DeviceErrorCode =
  | 'DEVICE_MALFORMED'
  | 'DEVICE_KEY_WEAK'
  | 'DEVICE_CHAIN_BROKEN'
  | 'DEVICE_CA_UNKNOWN'
  | 'DEVICE_CA_FOREIGN'
  | 'DEVICE_SIGNATURE'
  | 'DEVICE_ALGORITHM'
  | 'DEVICE_ISSUER_NO_CA'
  | 'DEVICE_ISSUER_USAGE'
  | 'DEVICE_PATH_LENGTH'
  | 'DEVICE_EXPIRED'
  | 'DEVICE_EARLY'
  | 'DEVICE_CRITICAL'
  | 'DEVICE_IS_CA'
  | 'DEVICE_KEY_USAGE'
  | 'DEVICE_PURPOSE'
  | 'DEVICE_PROOF'
  | 'DEVICE_REVOKED'
  | 'DEVICE_MOVED'
  | 'CRL_MISSING'
  | 'CRL_UNTRUSTED'
  | 'CRL_EXPIRED';

/** Evidence that proves nothing. The message is for the log and for `signet explain`, never for the caller. */
export class AttestationError extends SignetError<AttestationErrorCode> {
  override readonly name = 'AttestationError';
}
