import type { CompiledPolicy } from '../../lib/policy/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';

export type PolicyStatus = {
  readonly source: 'file' | 'broker';
  /** Of what was published; null for a file, and before anything came. */
  readonly version: number | null;
  /** Hash of the documents in force; null when there are none, and nothing is permitted. */
  readonly digest: string | null;
  readonly documents: number;
  readonly loadedAt: Date | null;
  /** What came last was refused, or nothing comes; what was in force before still is. */
  readonly stale: boolean;
  /** Why, as a stable code. */
  readonly fault: string | null;
};

/** Who was named by his certificate. */
export type NamedPeer = { readonly id: SpiffeId; readonly serial: string };

/** The policies in force for one workload, wherever they come from. */
export interface Policies extends Disposable {
  /** Null before there were any that were understood, and the workload is known: nothing may be permitted then. */
  readonly current: CompiledPolicy | null;
  readonly status: PolicyStatus;
  /** Says whose policies are meant. */
  aim(target: SpiffeId): void;
  /** Looks for others now; settles when that is under way or done, and never throws. */
  reload(): Promise<void>;
  /** Why a peer is refused although its certificate is good, or null. Asked at every request. */
  readonly denied: (peer: NamedPeer) => string | null;
}
