import { randomBytes } from 'node:crypto';
import { MOUNTS } from '../../grant/index.ts';
import { type Manifest, type ManifestEntry, parseManifest } from '../../manifest/index.ts';
import {
  DocumentError,
  inParallel,
  listDocuments,
  readDocument,
  removeDocument,
  type VaultCaller,
  writeDocument,
} from '../documents.ts';

/**
 * Published policies in Vault. A set is written whole, in pieces, below a name that no other set has; `policies/current` says which set
 * counts, is written last and by check-and-set. A publication that was cut off leaves a set that nobody is told of.
 */
export type PublishedSet = {
  /** The folder below `policies/sets/`. */
  readonly set: string;
  /** In how many pieces the manifest and the documents are kept. */
  readonly manifestPieces: number;
  readonly documentPieces: number;
  readonly version: number;
  readonly signature: string;
  /** Of the transit key. */
  readonly keyVersion: number;
};

/** What `policies/current` holds: the sets there are, the one that counts first. `cas` is for whoever writes it next. */
export type Current = { readonly sets: readonly PublishedSet[]; readonly cas: number };

/** The documents in the order of the manifest. */
export type StoredSet = {
  readonly published: PublishedSet;
  readonly manifest: Manifest;
  readonly text: string;
  readonly documents: readonly (ManifestEntry & { readonly text: string })[];
};

export const CURRENT = 'policies/current';
const SETS = 'policies/sets/';
/** So many sets can be gone back to. */
const KEPT_SETS = 20;
/** Well below the megabyte that Vault's storage takes, whatever JSON makes of the text. */
const PIECE_CHARS = 200_000;
const MOST_PIECES = 1_000;

/** @throws VaultError, DocumentError */
export async function readCurrent(vault: VaultCaller): Promise<Current> {
  const document = await readDocument(vault, CURRENT);
  if (document === undefined) return { sets: [], cas: 0 };
  const { sets } = (document.value ?? {}) as { sets?: unknown };
  if (!Array.isArray(sets) || sets.length > KEPT_SETS || !sets.every(isPublished))
    throw new DocumentError(CURRENT);
  return { sets, cas: document.version };
}

/**
 * The set as it was published; nothing is verified but that it is all there.
 * @throws VaultError, DocumentError
 */
export async function readSet(vault: VaultCaller, published: PublishedSet): Promise<StoredSet> {
  const folder = `${SETS}${published.set}`;
  const text = (await readPieces(vault, `${folder}/manifest`, published.manifestPieces)).join('');
  const pieces = await readPieces(vault, `${folder}/documents`, published.documentPieces);
  try {
    const manifest = parseManifest(text);
    const texts = pieces.join('').split('\n');
    if (manifest.documents.length === 0) texts.pop();
    if (texts.length !== manifest.documents.length || manifest.version !== published.version)
      throw new DocumentError(folder);
    return {
      published,
      manifest,
      text,
      documents: manifest.documents.map((entry, i) => ({ ...entry, text: texts[i]! })),
    };
  } catch (cause) {
    if (cause instanceof DocumentError) throw cause;
    throw new DocumentError(folder, { cause });
  }
}

export type NewSet = Pick<PublishedSet, 'version' | 'signature' | 'keyVersion'> & {
  readonly text: string;
  /** JSON on one line each, in the order of the manifest. */
  readonly documents: readonly string[];
};

/** Writes a set that nobody is told of yet. @throws VaultError */
export async function writeSet(vault: VaultCaller, set: NewSet): Promise<PublishedSet> {
  const { version, signature, keyVersion } = set;
  const name = `${version}-${randomBytes(6).toString('hex')}`;
  const folder = `${SETS}${name}`;
  return {
    ...{ set: name, version, signature, keyVersion },
    manifestPieces: await writePieces(vault, `${folder}/manifest`, set.text),
    documentPieces: await writePieces(vault, `${folder}/documents`, set.documents.join('\n')),
  };
}

/**
 * Makes a set the one that counts, and deletes those that are too old to go back to, or were never told of: whoever still writes one of no
 * higher version writes it in vain.
 * @throws VaultError; `VAULT_CAS_CONFLICT` when another was published meanwhile
 */
export async function switchTo(vault: VaultCaller, current: Current, next: PublishedSet): Promise<void> {
  const sets = [next, ...current.sets].slice(0, KEPT_SETS);
  await writeDocument(vault, CURRENT, { sets }, current.cas);
  const kept = new Set(sets.map(({ set }) => `${set}/`));
  for (const name of await listDocuments(vault, SETS))
    if (!kept.has(name) && Number.parseInt(name, 10) <= next.version)
      await removeSet(vault, name.slice(0, -1));
}

/** @throws VaultError */
export async function removeSet(vault: VaultCaller, set: string): Promise<void> {
  for (const kind of ['manifest', 'documents']) {
    const folder = `${SETS}${set}/${kind}`;
    const pieces = await listDocuments(vault, `${folder}/`);
    await inParallel(pieces, (piece) => removeDocument(vault, `${folder}/${piece}`));
  }
}

async function readPieces(vault: VaultCaller, folder: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, i) => `${folder}/${i}`);
  return await inParallel(names, async (name) => {
    const text = ((await readDocument(vault, name))?.value as { text?: unknown } | undefined)?.text;
    if (typeof text !== 'string') throw new DocumentError(name);
    return text;
  });
}

async function writePieces(vault: VaultCaller, folder: string, text: string): Promise<number> {
  const pieces: string[] = [];
  for (let at = 0; at < text.length || at === 0; ) {
    // never between the halves of one character
    const end = at + PIECE_CHARS - (isHighSurrogate(text.charCodeAt(at + PIECE_CHARS - 1)) ? 1 : 0);
    pieces.push(text.slice(at, end));
    at = end;
  }
  await inParallel([...pieces.entries()], ([i, piece]) =>
    writeDocument(vault, `${folder}/${i}`, { text: piece }, 0),
  );
  return pieces.length;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isPublished(value: unknown): value is PublishedSet {
  const { set, manifestPieces, documentPieces, version, signature, keyVersion } = (value ?? {}) as Record<
    string,
    unknown
  >;
  return (
    typeof set === 'string' &&
    /^\d{1,16}-[0-9a-f]{12}$/.test(set) &&
    typeof signature === 'string' &&
    signature.length <= 128 &&
    [version, keyVersion, manifestPieces, documentPieces].every(
      (n) => Number.isSafeInteger(n) && (n as number) >= 1,
    ) &&
    Math.max(manifestPieces as number, documentPieces as number) <= MOST_PIECES
  );
}

/** The certificate chain (PEM) of each version of the key that signs, as far as it has one. @throws VaultError */
export async function readPolicyKey(
  vault: VaultCaller,
): Promise<{ readonly latest: number; readonly chains: ReadonlyMap<number, string> }> {
  const { data } = await vault.call<{ latest_version?: unknown; keys?: unknown }>(
    'GET',
    `${MOUNTS.transit}/keys/policy`,
  );
  const keys = Object.entries((data?.keys ?? {}) as Record<string, { certificate_chain?: unknown }>);
  return {
    latest: Number(data?.latest_version),
    chains: new Map(
      keys.flatMap(([version, { certificate_chain: chain }]) =>
        typeof chain === 'string' && chain !== '' ? [[Number(version), chain] as const] : [],
      ),
    ),
  };
}
