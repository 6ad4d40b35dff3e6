import { field } from '../../lib/adapter/exchange.ts';
import {
  type DeliveredDocument,
  DeliveryError,
  MOST_DOCUMENTS,
  MOST_MANIFEST_CHARS,
  type Sealed,
  type VerifiedSet,
} from '../../lib/manifest/index.ts';
import {
  headingOf,
  type PolicyDocument,
  parsePolicies,
  type RegexCompiler,
  regexesFor,
} from '../../lib/policy/index.ts';

/** A broker's answer, read for its form alone. */
export type Delivery = {
  readonly policies: { readonly sealed: Sealed; readonly documents: readonly DeliveredDocument[] } | null;
  readonly denylist: Sealed | null;
};

const LONGEST_CHAIN = 8;
const MOST_CERTIFICATE_CHARS = 16 * 1024;

/** @throws DeliveryError `delivery_malformed` */
export function readDelivery(body: unknown): Delivery {
  const [policies, denylist] = [field(body, 'policies'), field(body, 'denylist')];
  if (policies === undefined && denylist === undefined)
    throw malformed('an answer without policies and deny-list');
  return {
    policies:
      policies === undefined ? null : { sealed: sealedOf(policies), documents: documentsOf(policies) },
    denylist: denylist === undefined ? null : sealedOf(denylist),
  };
}

/**
 * The documents of a verified set, understood: all of them, or the set is refused. Each has to say of itself what the manifest says of it.
 * @throws PolicyError; DeliveryError `document_hash`
 */
export function understood({ documents }: VerifiedSet, regexes: RegexCompiler | null): PolicyDocument[] {
  for (const { name, target, level, text } of documents) {
    const heading = headingOf(text);
    if (heading?.name !== name || heading.target !== target || heading.level !== level)
      throw new DeliveryError('document_hash', `the document listed as ${name} for ${target} is another one`);
  }
  const sources = documents.map(({ name, target, text }) => ({ file: `${target} ${name}`, text }));
  return parsePolicies(sources, regexes);
}

/** What `understood` needs for this delivery. */
export async function regexesOf({ policies }: Delivery): Promise<RegexCompiler | null> {
  return policies === null ? null : await regexesFor(policies.documents.map(({ text }) => text));
}

function sealedOf(value: unknown): Sealed {
  const [text, signature, chain] = ['text', 'signature', 'chain'].map((name) => field(value, name));
  if (typeof text !== 'string' || text.length > MOST_MANIFEST_CHARS || typeof signature !== 'string')
    throw malformed('without text or signature');
  if (!Array.isArray(chain) || chain.length > LONGEST_CHAIN) throw malformed('without a chain');
  return {
    text,
    signature,
    chainDer: chain.map((der: unknown) => {
      if (typeof der !== 'string' || der.length > MOST_CERTIFICATE_CHARS) throw malformed('with a bad chain');
      return Buffer.from(der, 'base64');
    }),
  };
}

function documentsOf(value: unknown): DeliveredDocument[] {
  const documents = field(value, 'documents');
  if (!Array.isArray(documents) || documents.length > MOST_DOCUMENTS) throw malformed('without documents');
  return documents.map((document: unknown) => {
    const [name, target, text] = ['name', 'target', 'text'].map((key) => field(document, key));
    if (typeof name !== 'string' || typeof target !== 'string' || typeof text !== 'string')
      throw malformed('with a document that is none');
    return { name, target, text };
  });
}

function malformed(why: string): DeliveryError {
  return new DeliveryError('delivery_malformed', `an answer ${why}`);
}
