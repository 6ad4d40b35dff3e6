import type { PolicySource } from './parse.ts';

/** A document with the sets and relations that it needs, so that it is understood without the others of its set. */
export type Separate = {
  readonly name: string;
  readonly target: string;
  readonly level: string;
  /** JSON on one line: the document, or a set object with it and what it needs. */
  readonly text: string;
};

type Raw = Readonly<Record<string, unknown>>;
type Heading = Pick<Separate, 'name' | 'target' | 'level'>;

/** The documents of sources that `parsePolicies` has understood together, each without `$schema`. */
export function separateDocuments(sources: readonly PolicySource[]): Separate[] {
  const files = sources.map(({ text }) => JSON.parse(text) as Raw | readonly Raw[]);
  const all: Declared = { sets: {}, relations: {} };
  for (const file of files) {
    if (isSet(file)) for (const kind of KINDS) Object.assign(all[kind], file[kind]);
  }
  return files
    .flatMap(
      (file) => (Array.isArray(file) ? file : isSet(file) ? (file['policies'] ?? []) : [file]) as Raw[],
    )
    .map((raw) => separate(raw, all));
}

/** What a separate document says of itself; null when it is none, or more than one. */
export function headingOf(text: string): Heading | null {
  const raw = JSON.parse(text) as Raw | null;
  if (typeof raw !== 'object' || raw === null) return null;
  if (!isSet(raw)) return raw as Heading;
  const { policies } = raw;
  return Array.isArray(policies) && policies.length === 1 ? (policies[0] as Heading | null) : null;
}

const KINDS = ['sets', 'relations'] as const;
type Declared = Readonly<Record<(typeof KINDS)[number], Record<string, unknown>>>;

function isSet(file: Raw | readonly Raw[]): file is Raw {
  return !Array.isArray(file) && ['policies', ...KINDS].some((key) => Object.hasOwn(file, key));
}

function separate(raw: Raw, all: Declared): Separate {
  const { $schema: _editors, ...document } = raw;
  const { name, target, level } = document as Heading;
  const needed: Declared = { sets: {}, relations: {} };
  need(document['when'], all, needed);
  const declared = KINDS.filter((kind) => Object.keys(needed[kind]).length > 0);
  const text = JSON.stringify(
    declared.length === 0
      ? document
      : { ...Object.fromEntries(declared.map((kind) => [kind, needed[kind]])), policies: [document] },
  );
  return { name, target, level, text };
}

/** Every text that might name a set is taken to do so: one too many changes nothing. */
function need(value: unknown, all: Declared, needed: Declared): void {
  if (typeof value === 'string') take('sets', value.startsWith('$') ? value.slice(1) : '', all, needed);
  else if (Array.isArray(value)) for (const each of value) need(each, all, needed);
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'relation' && typeof inner === 'object' && inner !== null)
        for (const name of Object.keys(inner)) take('relations', name, all, needed);
      need(inner, all, needed);
    }
}

function take(kind: (typeof KINDS)[number], name: string, all: Declared, needed: Declared): void {
  if (!Object.hasOwn(all[kind], name) || Object.hasOwn(needed[kind], name)) return;
  needed[kind][name] = all[kind][name];
  need(all[kind][name], all, needed);
}
