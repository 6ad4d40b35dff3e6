import {
  DocumentError,
  isVaultError,
  readDocument,
  type VaultCaller,
  writeDocument,
} from '../lib/adapter/documents.ts';
import { type Instance, judgeRenewal, parseInstance, type Renewal } from '../lib/attestation/index.ts';
import { InputError } from '../lib/errors.ts';

/** Running holders of identities, in Vault. Every change is made by check-and-set, so that of two brokers only one can make it. */
export interface Instances {
  /** @throws VaultError, DocumentError */
  find(id: string): Promise<Stored | undefined>;
  /** Begins one. False when one of that id is there already and was begun by somebody else. */
  begin(instance: Instance): Promise<boolean>;
  /**
   * Judges a renewal and writes what follows of it. Whoever lost the race to another writer judges again by what that one wrote.
   * `clone` means that this call locked it, `locked` that it was so already.
   */
  renew(stored: Stored, asked: Renewal): Promise<Renewed>;
}

export type Stored = { readonly instance: Instance; readonly version: number };
export type Renewed =
  | { readonly kind: 'advance' | 'repeat'; readonly instance: Instance }
  | { readonly kind: 'clone' }
  | { readonly kind: 'locked' };

const TRIES = 8;

export function createInstances(vault: VaultCaller): Instances {
  const find = async (id: string): Promise<Stored | undefined> => {
    const path = `instances/${id}`;
    const document = await readDocument(vault, path);
    if (document === undefined) return undefined;
    try {
      const instance = parseInstance(document.value);
      if (instance.id === id) return { instance, version: document.version };
    } catch (cause) {
      if (cause instanceof InputError) throw new DocumentError(path, { cause });
      throw cause;
    }
    throw new DocumentError(path);
  };

  /** False when another writer came first. */
  const write = async (instance: Instance, version: number): Promise<boolean> => {
    try {
      await writeDocument(vault, `instances/${instance.id}`, instance, version);
      return true;
    } catch (error) {
      if (isVaultError(error, 'VAULT_CAS_CONFLICT')) return false;
      throw error;
    }
  };

  return {
    find,
    async begin(instance) {
      if (await write(instance, 0)) return true;
      // A write whose answer was lost and that was sent again finds itself.
      const there = await find(instance.id);
      return there?.instance.correlation_id === instance.correlation_id;
    },
    async renew(first, asked) {
      let stored = first;
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const verdict = judgeRenewal(stored.instance, asked);
        if (verdict.kind === 'locked' || verdict.kind === 'repeat') return verdict;
        if (await write(verdict.instance, stored.version)) return verdict;
        const now = await find(stored.instance.id);
        if (now === undefined) throw new DocumentError(`instances/${stored.instance.id}`);
        stored = now;
      }
      throw new DocumentError(`instances/${stored.instance.id}`);
    },
  };
}
