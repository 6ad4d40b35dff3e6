import { setTimeout as pause } from 'node:timers/promises';
import { DocumentError, isVaultError, readDocument, type VaultCaller, writeDocument } from './documents.ts';

/**
 * The one counter that every write to the registrations raises: one read tells a broker whether anything changed. `changed` names
 * the documents of the last writes by the number each one made, so that a broker need not read all of them again.
 */
export type Revision = {
  readonly revision: number;
  readonly changed: ReadonlyMap<number, string>;
};

const PATH = 'revision';
const REMEMBERED = 64;
const TRIES = 12;

/** Nothing written yet is revision 0. @throws VaultError, DocumentError */
export async function readRevision(vault: VaultCaller): Promise<Revision> {
  const document = await readDocument(vault, PATH);
  return document === undefined ? { revision: 0, changed: new Map() } : parse(document.value);
}

/**
 * Raises the counter, naming the document that was written. Call it after the write, so that a broker that sees the new number
 * also sees the document.
 * @throws VaultError; `VAULT_CAS_CONFLICT` when too many write at once
 */
export async function raiseRevision(vault: VaultCaller, path: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const document = await readDocument(vault, PATH);
    const { revision, changed } =
      document === undefined ? { revision: 0, changed: new Map<number, string>() } : parse(document.value);
    const next = revision + 1;
    const kept = [...changed, [next, path] as const].filter(([at]) => at > next - REMEMBERED);
    try {
      await writeDocument(
        vault,
        PATH,
        { revision: next, changed: Object.fromEntries(kept) },
        document?.version ?? 0,
      );
      return next;
    } catch (error) {
      if (!isVaultError(error, 'VAULT_CAS_CONFLICT') || attempt === TRIES) throw error;
      await pause(Math.random() * 10 * attempt);
    }
  }
}

/** The documents written since revision `since`, undefined when not all of them are known. */
export function changedSince(
  { revision, changed }: Revision,
  since: number,
): ReadonlySet<string> | undefined {
  const paths = new Set<string>();
  if (revision < since) return undefined;
  for (let at = since + 1; at <= revision; at++) {
    const path = changed.get(at);
    if (path === undefined) return undefined;
    paths.add(path);
  }
  return paths;
}

function parse(value: unknown): Revision {
  const { revision, changed = {} } = (value ?? {}) as { revision?: unknown; changed?: unknown };
  if (!Number.isSafeInteger(revision) || (revision as number) < 0) throw new DocumentError(PATH);
  if (typeof changed !== 'object' || changed === null) throw new DocumentError(PATH);
  const pairs = Object.entries(changed).filter(
    (pair): pair is [string, string] => /^\d+$/.test(pair[0]) && typeof pair[1] === 'string',
  );
  return { revision: revision as number, changed: new Map(pairs.map(([at, path]) => [Number(at), path])) };
}
