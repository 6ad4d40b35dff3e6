import { sign } from 'node:crypto';
import {
  denylistText,
  type Kind,
  type ManifestEntry,
  manifestText,
  type Sealed,
  sealedBytes,
  textHash,
} from '../../lib/manifest/index.ts';
import { type CertificateOptions, createCa, type TestCa, type TestCertificate } from './ca.ts';

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/** A document as its author wrote it. */
export type TestDocument = { readonly name: string; readonly target: string; readonly level: string };

export type Signed = Sealed & {
  readonly documents: readonly { readonly name: string; readonly target: string; readonly text: string }[];
};

/** One who signs with the policy key of a trust domain, or with what passes for it. */
export interface Author {
  readonly ca: TestCa;
  manifest(documents: readonly TestDocument[], change?: Partial<ManifestChange>): Signed;
  denylist(ids: readonly string[], serials: readonly string[], version?: number): Sealed;
  sign(kind: Kind, text: string): Sealed;
}

type ManifestChange = {
  readonly version: number;
  readonly previousVersion: number;
  readonly trustDomain: string;
  readonly documents: readonly ManifestEntry[];
};

export async function createAuthor(
  options: {
    readonly ca?: TestCa;
    readonly trustDomain?: string;
    readonly id?: string;
    readonly certificate?: CertificateOptions;
  } = {},
): Promise<Author> {
  const trustDomain = options.trustDomain ?? 'example.org';
  const ca = options.ca ?? (await createCa(trustDomain));
  const issuer = await ca.intermediate();
  const leaf: TestCertificate = await issuer.leaf(options.id ?? `spiffe://${trustDomain}/signet/policy`, {
    extendedKeyUsage: [CODE_SIGNING],
    ...options.certificate,
  });
  const author: Author = {
    ca,
    manifest(documents, change = {}) {
      const texts = documents.map((document) => ({ ...document, text: JSON.stringify(document) }));
      const version = change.version ?? 1;
      const text = manifestText({
        version,
        previousVersion: version - 1,
        trustDomain,
        publishedAt: new Date(),
        author: 'anna',
        documents: texts.map(({ name, target, level, text }) => ({
          name,
          target,
          level,
          sha256: textHash(text),
        })),
        ...change,
      });
      return {
        ...author.sign('manifest', text),
        documents: texts.map(({ name, target, text }) => ({ name, target, text })),
      };
    },
    denylist: (ids, serials, version = 1) =>
      author.sign(
        'denylist',
        denylistText({ version, trustDomain, publishedAt: new Date(), author: 'olga', ids, serials }),
      ),
    sign(kind, text) {
      const key = { key: leaf.privateKey, dsaEncoding: 'ieee-p1363' } as const;
      const signature = sign('sha256', sealedBytes(kind, text), key).toString('base64url');
      return { text, signature, chainDer: [leaf.der, issuer.der] };
    },
  };
  return author;
}

/** As a broker sends it. */
export function onTheWire({ text, signature, chainDer }: Sealed): object {
  return { text, signature, chain: chainDer.map((der) => Buffer.from(der).toString('base64')) };
}
