import type { Bundle, PeerSvid } from '../lib/svid/index.ts';
import { AttestationError } from './attestors/attestor.ts';
import { trustedPeer } from './attestors/svid.ts';
import type { BundleSource } from './bundle-source.ts';
import type { Connection } from './connection.ts';
import { Problem } from './problem.ts';

export type WorkloadDeps = {
  readonly trustDomain: string;
  readonly bundles: Pick<BundleSource, 'current' | 'refresh'>;
  readonly now: () => Date;
};

/** Whose SVID was shown, and by what it is trusted now. @throws Problem `svid_needed`; VaultError while no authority is known */
export async function workloadAt(
  { peer: shown }: Connection,
  { trustDomain, bundles, now }: WorkloadDeps,
): Promise<{ readonly peer: PeerSvid; readonly bundle: Bundle }> {
  const bundle = bundles.current ?? (await bundles.refresh());
  try {
    return { peer: trustedPeer(shown, { trustDomain, bundle, now: now() }).peer, bundle };
  } catch (cause) {
    if (cause instanceof AttestationError) throw new Problem('svid_needed', { cause });
    throw cause;
  }
}
