import { parseTrustDomain } from '../spiffe/index.ts';
import { DeliveryError } from './error.ts';
import { arrayOf, instantOf, isText, objectOf, versionOf } from './fields.ts';
import { isTarget } from './target.ts';

/** One published document: its name, whom it is for, and what its text must hash to. */
export type ManifestEntry = {
  readonly name: string;
  /** A SPIFFE ID, or a pattern of several. */
  readonly target: string;
  readonly level: string;
  /** Hex, of the document's text in UTF-8. */
  readonly sha256: string;
};

/** What an author signs: every document there is, and a version that only rises. */
export type Manifest = {
  readonly version: number;
  readonly previousVersion: number;
  readonly trustDomain: string;
  readonly publishedAt: Date;
  /** By the name that Vault gave the author's token; for people. */
  readonly author: string;
  readonly documents: readonly ManifestEntry[];
};

export const MOST_DOCUMENTS = 10_000;
/** 10,000 entries with long names and targets; a reader takes no more in. */
export const MOST_MANIFEST_CHARS = 8 * 1024 * 1024;

const FIELDS = ['version', 'previous_version', 'trust_domain', 'published_at', 'author', 'documents'];
const ENTRY_FIELDS = ['name', 'target', 'level', 'sha256'];
const HASH = /^[0-9a-f]{64}$/;

/** The one text of a manifest: what is signed, stored and sent. */
export function manifestText(manifest: Manifest): string {
  const { version, previousVersion, trustDomain, publishedAt, author, documents } = manifest;
  return JSON.stringify({
    version,
    previous_version: previousVersion,
    trust_domain: trustDomain,
    published_at: publishedAt.toISOString(),
    author,
    documents: documents.map(({ name, target, level, sha256 }) => ({ name, target, level, sha256 })),
  });
}

/**
 * Reads a manifest's text. It has to be the very text that `manifestText` makes: what can be written in two ways could be read in two.
 * @throws DeliveryError `manifest_malformed`
 */
export function parseManifest(text: string): Manifest {
  if (text.length > MOST_MANIFEST_CHARS) throw malformed(`of over ${MOST_MANIFEST_CHARS} characters`);
  const raw = objectOf(text, FIELDS, malformed);
  const documents = arrayOf(raw['documents'], MOST_DOCUMENTS, malformed).map(entryOf);
  const manifest: Manifest = {
    version: versionOf(raw['version'], 1, malformed),
    previousVersion: versionOf(raw['previous_version'], 0, malformed),
    trustDomain: trustDomainOf(raw['trust_domain'], malformed),
    publishedAt: instantOf(raw['published_at'], malformed),
    author: isText(raw['author'], 256) ? raw['author'] : fail('without an author'),
    documents,
  };
  if (manifest.previousVersion >= manifest.version) throw malformed('whose version does not rise');
  const keys = new Set(documents.map(({ name, target }) => `${target} ${name}`));
  if (keys.size < documents.length) throw malformed('that lists a document twice');
  if (manifestText(manifest) !== text) throw malformed('that is not in its one form');
  return manifest;
}

export function trustDomainOf(value: unknown, malformed: (why: string) => Error): string {
  try {
    return parseTrustDomain(String(value));
  } catch {
    throw malformed('without a trust domain');
  }
}

function entryOf(value: unknown): ManifestEntry {
  const raw = objectOf(value, ENTRY_FIELDS, malformed);
  const { name, target, level, sha256 } = raw;
  if (!isText(name, 256) || !isText(target, 2048) || !isText(level, 64)) {
    return fail('that lists a document without name, target or level');
  }
  // It might be for this reader, in words of a later one.
  if (!isTarget(target)) return fail('that lists a document for what is no target');
  if (typeof sha256 !== 'string' || !HASH.test(sha256)) return fail('that lists a document without a hash');
  return { name, target, level, sha256 };
}

function fail(why: string): never {
  throw malformed(why);
}

function malformed(why: string): DeliveryError {
  return new DeliveryError('manifest_malformed', `a manifest ${why}`);
}
