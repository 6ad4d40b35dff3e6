import { hash } from 'node:crypto';
import {
  inParallel,
  isVaultError,
  listDocuments,
  removeDocument,
  type VaultCaller,
  writeDocument,
} from '../../lib/adapter/documents.ts';
import type { Log } from '../../lib/adapter/log.ts';

/** Tokens that were shown, whichever broker they were shown to: a document to each in Vault, which keeps them apart by check-and-set. */
export interface Spent {
  /**
   * False when it was shown before.
   * @throws VaultError when that cannot be written down
   */
  spend(token: ShownToken): Promise<boolean>;
  /** For a token of which nothing came: it may be shown again. Never rejects; where it fails, the token stays spent. */
  restore(token: ShownToken): Promise<void>;
}

/** `exp` is in seconds. */
export type ShownToken = { readonly issuer: string; readonly id: string; readonly exp: number };

export type SpentDeps = {
  readonly vault: VaultCaller;
  readonly log: Log;
  readonly now: () => Date;
};

const FOLDER = 'runs/';
const HOUR_SECONDS = 3_600;
const CLEAR_EVERY_MS = 10 * 60_000;
/** Hours that are cleared away at one time. */
const MOST_HOURS = 24;

export function createSpent({ vault, log, now }: SpentDeps): Spent {
  let clearedAt = Number.NEGATIVE_INFINITY;

  /** Folders of hours that are past, and one more for clocks that differ. No token of such an hour is let in any more. */
  const clear = async () => {
    const current = Math.floor(now().getTime() / 1_000 / HOUR_SECONDS);
    const hours = (await listDocuments(vault, FOLDER)).filter((key) => /^\d{1,9}\/$/.test(key));
    for (const hour of hours.filter((key) => Number(key.slice(0, -1)) < current - 1).slice(0, MOST_HOURS)) {
      const names = (await listDocuments(vault, `${FOLDER}${hour}`)).filter((name) =>
        /^[0-9a-f]{64}$/.test(name),
      );
      await inParallel(names, (name) => removeDocument(vault, `${FOLDER}${hour}${name}`));
    }
  };

  return {
    async spend(token) {
      const nowMs = now().getTime();
      if (nowMs >= clearedAt + CLEAR_EVERY_MS) {
        clearedAt = nowMs;
        void clear().catch((error: unknown) => log.warn('run_tokens_not_cleared', { reason: error }));
      }
      try {
        await writeDocument(vault, pathOf(token), { at: nowMs }, 0);
        return true;
      } catch (error) {
        if (isVaultError(error, 'VAULT_CAS_CONFLICT')) return false;
        throw error;
      }
    },
    async restore(token) {
      await removeDocument(vault, pathOf(token)).catch((error: unknown) =>
        log.warn('run_token_not_restored', { reason: error }),
      );
    },
  };
}

/** By the hour in which it runs out, which its issuer has signed: what is past can be cleared away folder by folder. */
function pathOf({ issuer, id, exp }: ShownToken): string {
  return `${FOLDER}${Math.floor(exp / HOUR_SECONDS)}/${hash('sha256', JSON.stringify([issuer, id]))}`;
}
