import { setTimeout as pause } from 'node:timers/promises';
import { SignetError } from '../errors.ts';
import { MOUNTS } from '../grant/index.ts';
import { readActual } from './actual.ts';
import { canSign, issuingCsr } from './ca.ts';
import type { Layout } from './layout.ts';
import { type Change, type PlanOptions, planLayout } from './plan.ts';
import type { VaultPort } from './port.ts';

export type ApplyOptions = PlanOptions & {
  /** Called before each change is made. */
  readonly onChange?: (change: Change) => void;
};

export type Applied = {
  readonly changes: readonly Change[];
  /** With an external root: the request (PEM) that its keeper has to sign. No SVID can be signed before that. */
  readonly csr?: string;
};

/**
 * Brings a Vault to the layout. Run again, it changes nothing; it never replaces or deletes a CA, a key or a registration. A run
 * that was cut short is taken up by the next one. Needs a token that may write all of this: root for the first time, later one with
 * `signet-admin`.
 * @throws SignetError `LAYOUT_CONFLICT` when something else stands where the layout has to; whatever the port throws
 */
export async function applyLayout(
  vault: VaultPort,
  layout: Layout,
  options: ApplyOptions = {},
): Promise<Applied> {
  const settled = settling(vault);
  const changes = planLayout(await readActual(vault, layout), layout, options);
  for (const change of changes) {
    options.onChange?.(change);
    await change.make(settled);
  }
  if (layout.root === 'vault') return { changes };
  const { pki } = await readActual(vault, layout);
  return canSign(pki) ? { changes } : { changes, csr: await issuingCsr(vault, layout) };
}

/**
 * A new KV engine refuses calls for a moment while it becomes version 2: those are made again, and no others. Bounded to ten seconds.
 */
function settling(vault: VaultPort): VaultPort {
  return {
    async request(method, path, body) {
      for (let tries = 0; ; tries++) {
        try {
          return await vault.request(method, path, body);
        } catch (error) {
          const young =
            error instanceof SignetError &&
            error.code === 'VAULT_UNAVAILABLE' &&
            path.startsWith(`${MOUNTS.kv}/`);
          if (!young || tries === 100) throw error;
          await pause(100);
        }
      }
    },
  };
}
