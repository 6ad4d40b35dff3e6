import { SignetError } from '../../errors.ts';
import { type Manifest, MOST_DOCUMENTS, manifestText, textHash } from '../../manifest/index.ts';
import { isVaultError, type VaultCaller } from '../documents.ts';
import { raiseRevision } from '../revision.ts';
import { openSigner } from './signing.ts';
import {
  CURRENT,
  type Current,
  readCurrent,
  readSet,
  removeSet,
  type StoredSet,
  switchTo,
  writeSet,
} from './store.ts';

/** One document as its author wrote it; `text` is its JSON on one line. */
export type NewDocument = {
  readonly name: string;
  readonly target: string;
  readonly level: string;
  readonly text: string;
};

class PublishError extends SignetError<'TOO_MUCH' | 'PUBLISHED_MEANWHILE' | 'NO_SUCH_VERSION'> {
  override readonly name = 'PublishError';
}

export type Publishing = {
  readonly now: Date;
  /** The new version is above this one too: for a Vault that was restored from a backup. */
  readonly above?: number;
};

/** As much as a sidecar reads. */
const MOST_CHARS = 16 * 1024 * 1024;

/**
 * Publishes a whole set: every document there shall be from now on. With the author's own token: Vault's ACL decides, and Vault's audit
 * names the author. The order is one in which a crash at any point changes nothing, or all: set, pointer, revision.
 * @throws PublishError, SigningError, VaultError, DocumentError
 */
export async function publish(
  author: VaultCaller,
  documents: readonly NewDocument[],
  options: Publishing,
): Promise<Manifest> {
  return await publishAs(author, await readCurrent(author), documents, options);
}

/**
 * Publishes an earlier set again, under a new version: what a sidecar runs never goes back.
 * @throws PublishError `NO_SUCH_VERSION`; as `publish`
 */
export async function rollback(
  author: VaultCaller,
  version: number | undefined,
  options: Publishing,
): Promise<{ readonly manifest: Manifest; readonly from: number }> {
  const current = await readCurrent(author);
  const [, ...earlier] = current.sets;
  const wanted = version === undefined ? earlier[0] : earlier.find((set) => set.version === version);
  if (wanted === undefined)
    throw new PublishError(
      'NO_SUCH_VERSION',
      earlier.length === 0
        ? 'there is no earlier version'
        : `the versions to go back to are ${earlier.map((set) => set.version).join(', ')}`,
    );
  const { documents } = await readSet(author, wanted);
  const manifest = await publishAs(author, current, documents, options);
  return { manifest, from: wanted.version };
}

/** What is published now; undefined before the first time. @throws VaultError, DocumentError */
export async function published(vault: VaultCaller): Promise<StoredSet | undefined> {
  const [set] = (await readCurrent(vault)).sets;
  return set === undefined ? undefined : await readSet(vault, set);
}

async function publishAs(
  author: VaultCaller,
  current: Current,
  documents: readonly NewDocument[],
  { now, above = 0 }: Publishing,
): Promise<Manifest> {
  const chars = documents.reduce((sum, { text }) => sum + text.length, 0);
  if (documents.length > MOST_DOCUMENTS || chars > MOST_CHARS)
    throw new PublishError('TOO_MUCH', `at most ${MOST_DOCUMENTS} documents and ${MOST_CHARS} characters`);
  const signer = await openSigner(author);
  const previousVersion = current.sets[0]?.version ?? 0;
  const manifest: Manifest = {
    version: Math.max(previousVersion, above) + 1,
    previousVersion,
    trustDomain: signer.trustDomain,
    publishedAt: now,
    author: signer.author,
    documents: documents.map(({ name, target, level, text }) => ({
      ...{ name, target, level },
      sha256: textHash(text),
    })),
  };
  const text = manifestText(manifest);
  const { version } = manifest;
  const signed = await signer.sign('manifest', text);
  const set = await writeSet(author, { version, text, documents: documents.map((d) => d.text), ...signed });
  try {
    await switchTo(author, current, set);
  } catch (cause) {
    if (!isVaultError(cause, 'VAULT_CAS_CONFLICT')) throw cause;
    await removeSet(author, set.set);
    throw new PublishError(
      'PUBLISHED_MEANWHILE',
      'somebody else published at the same time: look at it, then publish again',
      { cause },
    );
  }
  await raiseRevision(author, CURRENT);
  return manifest;
}
