import type { AuditEvent } from './record.ts';

/** Where the chain stands; enough to go on from. */
export type ChainState = {
  /** The number of the next record; the first is 0. */
  readonly seq: number;
  /** Hex SHA-256 of the line before, or the genesis value. */
  readonly prev: string;
  /** Records since the last signed one. */
  readonly unsigned: number;
  /** Time of the first of those (ms since the epoch), null if none. */
  readonly unsignedSince: number | null;
};
export type Appended = { readonly line: string; readonly state: ChainState };

/** Signs with the SVID key that `chainDer` (leaf first) certifies: ES256, IEEE P1363, 64 bytes. */
export type AuditSigner = {
  readonly chainDer: readonly Uint8Array[];
  sign(data: Uint8Array): Uint8Array;
};

/** Lines end with a line break and must reach the file in the order they were made. */
export type Chain = {
  readonly state: ChainState;
  append(event: AuditEvent, now: Date): Appended;
  /** True after 1,000 unsigned records or 10 s with at least one. */
  checkpointDue(now: Date): boolean;
  checkpoint(signer: AuditSigner, now: Date): Appended;
  /** The last record of a run. Without an SVID (`signer` null) it is unsigned, and verification says so. */
  stop(signer: AuditSigner | null, fields: Readonly<Record<string, unknown>>, now: Date): Appended;
};

export declare const CHECKPOINT_RECORDS: number;
export declare const CHECKPOINT_INTERVAL_MS: number;
export declare function createChain(resume?: ChainState): Chain;
