import type { Chain } from './chain.ts';

export type Resumed = {
  readonly chain: Chain;
  /** To be appended to the file before anything else; empty when the file ended cleanly. */
  readonly repair: string;
};
/** How many bytes from the end of the file `resumeFrom` must be given (all, if the file is shorter). */
export declare const RESUME_TAIL_BYTES: number;
/**
 * Goes on after a restart, from the end of the file.
 * @throws AuditError AUDIT_RESUME_REFUSED when the last whole line is not a record
 */
export declare function resumeFrom(tail: Uint8Array, now: Date): Resumed;
