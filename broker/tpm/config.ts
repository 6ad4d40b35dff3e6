import type { Anchor } from '../devices/chain.ts';

/** Makers of TPMs whose certificates are believed; none: endorsement keys are believed only where an entry pins them. */
export type TpmConfig = { readonly authorities: readonly Anchor[] };
