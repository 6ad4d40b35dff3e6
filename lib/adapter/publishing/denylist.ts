import { denylistText, parseSignedDenylist, serialForm } from '../../manifest/index.ts';
import { DocumentError, readDocument, type VaultCaller } from '../documents.ts';

/** IDs and certificate serials that are refused whatever they prove. */
export type Denylist = {
  readonly ids: ReadonlySet<string>;
  readonly serials: ReadonlySet<string>;
  /** What sidecars are told of it. Undefined: it was written by hand and signed by nobody, and is the brokers' alone. */
  readonly signed:
    | {
        readonly version: number;
        readonly author: string;
        readonly publishedAt: Date;
        readonly text: string;
        readonly signature: string;
        readonly keyVersion: number;
      }
    | undefined;
  /** For whoever writes it next. */
  readonly cas: number;
};

export const DENYLIST = 'denylist';
const FIELDS = [
  ...['ids', 'serials', 'version', 'trust_domain', 'published_at', 'author', 'signature', 'key_version'],
];

/**
 * No list denies nobody; a list that cannot be read denies everybody, by throwing.
 * @throws VaultError, DocumentError
 */
export async function readDenylist(vault: VaultCaller): Promise<Denylist> {
  const document = await readDocument(vault, DENYLIST);
  if (document === undefined) return { ids: new Set(), serials: new Set(), signed: undefined, cas: 0 };
  const raw = (document.value ?? {}) as Record<string, unknown>;
  const { ids, serials } = raw;
  const strange = Object.keys(raw).some((name) => !FIELDS.includes(name));
  if (!areTexts(ids) || !areTexts(serials) || strange) throw new DocumentError(DENYLIST);
  return {
    ids: new Set(ids),
    serials: new Set(serials.map(serialForm)),
    signed: signedPart(raw, ids, serials),
    cas: document.version,
  };
}

/** What was signed is made again from what stands there: after a change by hand the signature fits no more, and sidecars say so. */
function signedPart(
  raw: Record<string, unknown>,
  ids: readonly string[],
  serials: readonly string[],
): Denylist['signed'] {
  const { version, trust_domain, published_at, author, signature, key_version } = raw;
  try {
    const publishedAt = new Date(String(published_at));
    const text = denylistText({
      ...{ version: version as number, trustDomain: String(trust_domain), publishedAt },
      ...{ author: String(author), ids, serials },
    });
    const list = parseSignedDenylist(text);
    if (typeof signature !== 'string' || !Number.isSafeInteger(key_version)) return undefined;
    return {
      version: list.version,
      author: list.author,
      publishedAt,
      text,
      signature,
      keyVersion: key_version as number,
    };
  } catch {
    return undefined;
  }
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
