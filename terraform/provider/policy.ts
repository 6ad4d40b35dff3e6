import { isDeepStrictEqual } from 'node:util';
import { publish, published } from '../../lib/adapter/publishing/publish.ts';
import { textHash } from '../../lib/manifest/index.ts';
import {
  defectText,
  PolicyError,
  type PolicySource,
  readPolicies,
  type Separate,
  separateDocuments,
} from '../../lib/policy/index.ts';
import { type Author, toldOfVault } from './author.ts';
import { textsOf, wordsOf } from './checks.ts';
import type { Client } from './client.ts';
import {
  type Diagnostic,
  ProviderError,
  problem,
  type ResourceType,
  UNKNOWN,
  type Value,
  type Values,
} from './plugin/index.ts';

const ID = 'published';

/**
 * All policies of the trust domain: what is published is a whole set, signed at once, and so is this. By the author's own token, with Vault itself.
 */
export const policy: ResourceType<Client> = {
  name: 'signet_policy',
  schema: {
    description:
      "The policies of the trust domain: every document of every service there shall be, signed with the author's own Vault token (`signet-author`) and handed out by brokers. There is one of it. Vault is spoken to directly (`vault_address`). Removing it publishes a set without documents: sidecars then permit nothing.",
    attributes: {
      id: {
        type: 'string',
        computed: true,
        useStateForUnknown: true,
        description: `Always \`${ID}\`.`,
      },
      sources: {
        type: { list: 'string' },
        required: true,
        description:
          'Policy documents as JSON, each text as a file of `signet policy publish`: `file("orders.json")`. They are understood together, so sets of one may be used in another.',
      },
      documents: {
        type: { map: 'string' },
        computed: true,
        description: 'What is published: the SHA-256 of each document, by target and name.',
      },
      version: {
        type: 'number',
        computed: true,
        description: 'The version that was published: it only rises.',
      },
      author: {
        type: 'string',
        computed: true,
        description: 'Who published it, by the name that Vault gave the token.',
      },
    },
  },
  timeouts: { create: 120_000, read: 60_000, update: 120_000, delete: 120_000 },
  async validate(config) {
    const sources = sourcesOf(config);
    return sources === undefined ? [] : await flawsOf(sources);
  },
  plan({ config, prior, planned }) {
    const sources = sourcesOf(config);
    if (sources === undefined)
      return { planned: { ...planned, documents: UNKNOWN, version: UNKNOWN, author: UNKNOWN } };
    const documents = hashesOf(separateDocuments(sources));
    const kept = prior !== null && isSame(prior, documents) ? prior : {};
    const { version = UNKNOWN, author = UNKNOWN } = kept;
    return { planned: { ...planned, documents, version, author } };
  },
  async create({ client, planned }) {
    const author = client.author();
    const documents = separateDocuments(await understood(planned));
    const there = await lookAt(author);
    if (there !== undefined && isDeepStrictEqual(there.documents, hashesOf(documents)))
      return { state: stateOf(there, planned['sources']!) };
    if (there !== undefined && there.texts.length > 0)
      throw new ProviderError(
        problem(
          'Policies are published already, which differ',
          `Version ${there.version} of ${there.author}. What is published is the whole set: import it, and see in the plan what would change: tofu import ADDRESS ${ID}`,
          ['sources'],
        ),
      );
    return { state: stateOf(await publishing(author, documents), planned['sources']!) };
  },
  async read({ client, state }) {
    const found = await lookAt(client.author());
    if (found === undefined) return undefined;
    // how they were written stays, while it says the same
    const known = textsOf(state['sources']);
    const same = isDeepStrictEqual(hashesIn(known), found.documents);
    return { state: stateOf(found, same ? known : found.texts) };
  },
  async update({ client, prior, planned }) {
    const author = client.author();
    const documents = separateDocuments(await understood(planned));
    // other spaces, or in other files: nothing of it is published
    if (isSame(prior, hashesOf(documents))) return { state: { ...prior, sources: planned['sources']! } };
    const now = await lookAt(author);
    if (String(now?.version) !== String(prior['version']))
      throw new ProviderError(
        problem(
          'Somebody else has published since this was planned',
          `There is version ${now?.version} of ${now?.author} now: plan again, and see what would change.`,
          ['sources'],
        ),
      );
    return { state: stateOf(await publishing(author, documents), planned['sources']!) };
  },
  async remove({ client }) {
    const author = client.author();
    const there = await lookAt(author);
    if (there !== undefined && there.texts.length > 0) await publishing(author, []);
  },
  async import({ client, id }) {
    if (id !== ID) throw new ProviderError(problem(`There is one signet_policy: import it as ${ID}`));
    const found = await lookAt(client.author());
    if (found === undefined) throw new ProviderError(problem('No policies are published'));
    return { state: stateOf(found, found.texts) };
  },
};

type Hashes = Readonly<Record<string, string>>;

type Published = {
  readonly version: number;
  readonly author: string;
  readonly documents: Hashes;
  readonly texts: readonly string[];
};

async function publishing(author: Author, documents: readonly Separate[]): Promise<Published> {
  try {
    const { version, author: name } = await publish(author, documents, { now: new Date() });
    return {
      version,
      author: name,
      documents: hashesOf(documents),
      texts: documents.map(({ text }) => text),
    };
  } catch (error) {
    throw toldOfVault(error);
  }
}

/** What is published; undefined before the first time. */
async function lookAt(author: Author): Promise<Published | undefined> {
  try {
    const set = await published(author);
    if (set === undefined) return undefined;
    const { version, author: name, documents } = set.manifest;
    return {
      ...{ version, author: name, texts: set.documents.map(({ text }) => text) },
      documents: Object.fromEntries(documents.map((each) => [keyOf(each), each.sha256])),
    };
  } catch (error) {
    throw toldOfVault(error);
  }
}

function stateOf({ version, author, documents }: Published, sources: Value): Values {
  return { id: ID, sources, documents, version, author };
}

function isSame(state: Values, documents: Hashes): boolean {
  return isDeepStrictEqual({ ...wordsOf(state['documents']) }, documents);
}

/** Undefined where they are none, which a state of another version of this may be. */
function hashesIn(texts: readonly string[]): Hashes | undefined {
  try {
    return hashesOf(separateDocuments(named(texts)));
  } catch {
    return undefined;
  }
}

function hashesOf(documents: readonly Separate[]): Hashes {
  return Object.fromEntries(documents.map((each) => [keyOf(each), textHash(each.text)]));
}

function keyOf({ target, name }: Pick<Separate, 'target' | 'name'>): string {
  return `${target} ${name}`;
}

function named(texts: readonly string[]): PolicySource[] {
  return texts.map((text, i) => ({ file: `sources[${i}]`, text }));
}

/** Undefined while some of them are not known. */
function sourcesOf({ sources }: Values): PolicySource[] | undefined {
  if (!Array.isArray(sources) || !sources.every((each) => typeof each === 'string')) return undefined;
  return named(sources);
}

async function understood(planned: Values): Promise<PolicySource[]> {
  const sources = named(textsOf(planned['sources']));
  const flaws = await flawsOf(sources);
  if (flaws.length > 0) throw new ProviderError(flaws);
  return sources;
}

async function flawsOf(sources: readonly PolicySource[]): Promise<Diagnostic[]> {
  try {
    await readPolicies(sources);
    return [];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.defects.map((defect) =>
      problem('A policy that sidecars would not take', defectText(defect), ['sources', placeOf(defect.file)]),
    );
  }
}

function placeOf(file: string): number {
  return Number(/^sources\[(\d+)\]$/.exec(file)?.[1] ?? 0);
}
