import { setTimeout as pause } from 'node:timers/promises';
import { type Document, isVaultError, readDocument, type VaultCaller, writeDocument } from './documents.ts';

/**
 * Where the counter stood. `version` is Vault's own number of the document that holds it, which rises with every write, whatever is written:
 * every registrar may write this document, and so none is believed about the others' writes further than the two numbers rise together.
 */
export type Mark = { readonly revision: number; readonly version: number };

/**
 * The one counter that every write to the registrations raises: one read tells a broker whether anything changed. `changed` names
 * the documents of the last writes by the number each one made, so that a broker need not read all of them again.
 */
export type Revision = Mark & { readonly changed: ReadonlyMap<number, string> };

const PATH = 'revision';
const REMEMBERED = 64;
const TRIES = 12;

/** Nothing written yet is revision 0, and what is no revision is one that no other follows from. @throws VaultError, DocumentError */
export async function readRevision(vault: VaultCaller): Promise<Revision> {
  const document = await readDocument(vault, PATH);
  return document === undefined ? NONE : parse(document);
}

/**
 * Raises the counter, naming the document that was written. Call it after the write, so that a broker that sees the new number
 * also sees the document.
 * @throws VaultError; `VAULT_CAS_CONFLICT` when too many write at once
 */
export async function raiseRevision(vault: VaultCaller, path: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const document = await readDocument(vault, PATH);
    const { revision, version, changed } = document === undefined ? NONE : parse(document);
    // after one that is none it begins anew, further on
    const next = revision === UNREADABLE ? version + 1 : revision + 1;
    const kept = [...changed, [next, path] as const].filter(([at]) => at > next - REMEMBERED && at <= next);
    try {
      await writeDocument(vault, PATH, { revision: next, changed: Object.fromEntries(kept) }, version);
      return next;
    } catch (error) {
      if (!isVaultError(error, 'VAULT_CAS_CONFLICT') || attempt === TRIES) throw error;
      await pause(Math.random() * 10 * attempt);
    }
  }
}

/** The documents written since `since`, undefined when not all of them are known. */
export function changedSince(
  { revision, version, changed }: Revision,
  since: Mark,
): ReadonlySet<string> | undefined {
  const paths = new Set<string>();
  if (version === since.version && revision === since.revision) return paths;
  if (version < since.version || version - since.version !== revision - since.revision) return undefined;
  for (let at = since.revision + 1; at <= revision; at++) {
    const path = changed.get(at);
    if (path === undefined) return undefined;
    paths.add(path);
  }
  return paths;
}

const NONE: Revision = { revision: 0, version: 0, changed: new Map() };
/** Of a document that is no revision. No write raises the counter to it, or from it. */
const UNREADABLE = Number.NEGATIVE_INFINITY;

function parse({ value, version }: Document): Revision {
  const { revision, changed } = (value ?? {}) as { revision?: unknown; changed?: unknown };
  const isOne = Number.isSafeInteger(revision) && (revision as number) >= 0;
  // the last of all numbers has none after it
  if (!isOne || revision === Number.MAX_SAFE_INTEGER)
    return { revision: UNREADABLE, version, changed: new Map() };
  const pairs = Object.entries(typeof changed === 'object' && changed !== null ? changed : {}).filter(
    (pair): pair is [string, string] => /^\d+$/.test(pair[0]) && typeof pair[1] === 'string',
  );
  return {
    revision: revision as number,
    version,
    changed: new Map(pairs.map(([at, path]) => [Number(at), path])),
  };
}
