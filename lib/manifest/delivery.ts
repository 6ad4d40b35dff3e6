import { hash } from 'node:crypto';
import type { SpiffeId } from '../spiffe/index.ts';
import { parseSignedDenylist, type SignedDenylist } from './denylist.ts';
import { DeliveryError, type Kind } from './error.ts';
import { type Manifest, type ManifestEntry, parseManifest } from './manifest.ts';
import { checkSeal, type Sealed, type Trust } from './signature.ts';
import { concerns } from './target.ts';

/** A document as a broker hands it over. */
export type DeliveredDocument = { readonly name: string; readonly target: string; readonly text: string };

/** All documents of one version for one workload, each what its author published. */
export type VerifiedSet = {
  readonly manifest: Manifest;
  readonly documents: readonly (ManifestEntry & { readonly text: string })[];
};

export type Claim = Trust & {
  /** Whose documents have to be there: all of them, and no other. */
  readonly id: SpiffeId;
  /** The version in force, 0 for none: what is delivered has to be newer. */
  readonly after: number;
};

/**
 * Verifies what a broker delivered: signed by an author, for this trust domain, newer than what is in force, and with exactly the
 * documents that concern this workload, each to the letter. A broker can withhold all of it, and nothing else.
 * @throws DeliveryError
 */
export function verifyDelivery(
  sealed: Sealed,
  documents: readonly DeliveredDocument[],
  claim: Claim,
): VerifiedSet {
  checkSeal('manifest', sealed, claim);
  const manifest = parseManifest(sealed.text);
  checkOrigin('manifest', manifest, claim.bundle.trustDomain, claim.after);
  const wanted = manifest.documents.filter(({ target }) => concerns(target, claim.id));
  const delivered = new Map(documents.map((document) => [keyOf(document), document]));
  if (delivered.size < documents.length)
    throw new DeliveryError('document_unlisted', 'a document was delivered twice');
  const found = wanted.map((entry) => {
    const document = delivered.get(keyOf(entry));
    if (document === undefined)
      throw new DeliveryError('manifest_incomplete', `${entry.name} for ${entry.target} was not delivered`);
    if (textHash(document.text) !== entry.sha256)
      throw new DeliveryError('document_hash', `${entry.name} for ${entry.target} is not what was published`);
    delivered.delete(keyOf(entry));
    return { ...entry, text: document.text };
  });
  const [stray] = delivered.values();
  if (stray !== undefined)
    throw new DeliveryError(
      'document_unlisted',
      'a document was delivered that is not listed for this workload',
    );
  return { manifest, documents: found };
}

/** As `verifyDelivery`. @throws DeliveryError */
export function verifyDenylist(sealed: Sealed, trust: Trust, after: number): SignedDenylist {
  checkSeal('denylist', sealed, trust);
  const list = parseSignedDenylist(sealed.text);
  checkOrigin('denylist', list, trust.bundle.trustDomain, after);
  return list;
}

/** Hex SHA-256 of a document's text, as manifests list it. */
export function textHash(text: string): string {
  return hash('sha256', text);
}

function checkOrigin(
  kind: Kind,
  { version, trustDomain }: { readonly version: number; readonly trustDomain: string },
  own: string,
  after: number,
): void {
  if (trustDomain !== own)
    throw new DeliveryError(`${kind}_foreign`, `it was published for ${trustDomain}, not for ${own}`);
  if (version <= after)
    throw new DeliveryError(
      `${kind}_rollback`,
      `version ${version} is not newer than ${after}, which is in force`,
    );
}

function keyOf({ target, name }: { readonly target: string; readonly name: string }): string {
  return `${target} ${name}`;
}
