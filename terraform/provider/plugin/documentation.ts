import type { Provider } from './resource.ts';
import type { Attribute, Block, Body, Nesting, Schema, Type } from './schema.ts';
import { withTimeouts } from './timeouts.ts';

/** An example's text by its name: `provider`, `resources/signet_entry`, `imports/signet_entry`. */
export type Examples = ReadonlyMap<string, string>;

/** A page for each type and one for the provider, in Markdown, by their paths in the folder `docs`. */
export function renderDocumentation<Client>(
  provider: Provider<Client>,
  examples: Examples,
): ReadonlyMap<string, string> {
  const pages = new Map([
    ['index.md', page(`Provider ${provider.name}`, provider.schema, examples.get('provider'))],
  ]);
  const add = (folder: string, what: string, types: readonly Documented[]): void => {
    for (const type of types) {
      const short = type.name.slice(provider.name.length + 1);
      const example = examples.get(`${folder}/${type.name}`);
      const schema = withTimeouts(type.schema, type.timeouts);
      const text = page(`${what} ${type.name}`, schema, example);
      pages.set(`${folder}/${short}.md`, `${text}${importing(type, examples)}`);
    }
  };
  add('resources', 'Resource', provider.resources);
  add('data-sources', 'Data source', provider.dataSources);
  add('ephemeral-resources', 'Ephemeral resource', provider.ephemeralResources);
  return pages;
}

interface Documented {
  readonly name: string;
  readonly schema: Schema;
  readonly timeouts?: Provider['resources'][number]['timeouts'];
  readonly import?: unknown;
}

function page(title: string, schema: Schema, example: string | undefined): string {
  const parts = [`# ${title}`];
  if (schema.deprecated) parts.push(`**Deprecated.** ${schema.deprecated}`);
  parts.push(schema.description);
  if (example) parts.push('## Example', `\`\`\`terraform\n${example.trim()}\n\`\`\``);
  const within: Part[] = [];
  const given = lines(schema, isGiven, '', within);
  const told = lines(schema, (attribute) => !isGiven(attribute), '', within);
  if (given.length > 0) parts.push('## Arguments', given.join('\n'));
  if (told.length > 0) parts.push('## Attributes', told.join('\n'));
  for (let next = within.shift(); next; next = within.shift()) {
    const inner = lines(next.body, () => true, `${next.path}.`, within);
    parts.push(`### \`${next.path}\``, inner.length > 0 ? inner.join('\n') : 'Empty.');
  }
  return `${parts.join('\n\n')}\n`;
}

/** Attributes within an attribute or a block: told below, by its path. */
interface Part {
  readonly path: string;
  readonly body: Body;
}

function lines(
  body: Body,
  wanted: (attribute: Attribute) => boolean,
  path: string,
  within: Part[],
): string[] {
  const told = Object.entries(body.attributes)
    .filter(([, attribute]) => wanted(attribute))
    .map(([name, attribute]) => {
      if (attribute.nested) within.push({ path: `${path}${name}`, body: attribute.nested });
      return attributeLine(name, attribute);
    });
  // What the configuration sets holds its blocks.
  const blocks = wanted({ description: '', optional: true }) ? Object.entries(body.blocks ?? {}) : [];
  for (const [name, block] of blocks) {
    within.push({ path: `${path}${name}`, body: block });
    told.push(blockLine(name, block));
  }
  return told;
}

function isGiven({ required, optional, default: usual }: Attribute): boolean {
  return required === true || optional === true || usual !== undefined;
}

function attributeLine(name: string, attribute: Attribute): string {
  const { default: usual } = attribute;
  const marks = [
    attribute.nested
      ? nestingWords(attribute.nested.nesting, 'object')
      : typeWords(attribute.type ?? 'string'),
    attribute.required ? 'required' : undefined,
    usual === undefined || usual === null ? undefined : `\`${JSON.stringify(usual)}\` if not set`,
    attribute.optional && attribute.computed ? 'decided by the provider if not set' : undefined,
    isGiven(attribute) ? undefined : 'read-only',
    attribute.requiresReplace ? 'a change makes a new one' : undefined,
    attribute.sensitive ? 'sensitive' : undefined,
    attribute.writeOnly ? 'write-only: in no plan and no state' : undefined,
  ].filter(Boolean);
  const old = attribute.deprecated ? ` **Deprecated.** ${attribute.deprecated}` : '';
  return `- \`${name}\` (${marks.join(', ')}): ${attribute.description}${old}`;
}

function blockLine(name: string, { nesting, min, max, description, deprecated }: Block): string {
  const bounds = [min ? `at least ${min}` : undefined, max ? `at most ${max}` : undefined].filter(Boolean);
  const marks = [nesting === 'single' ? 'block' : `blocks, ${nesting}`, ...bounds];
  return `- \`${name}\` (${marks.join(', ')}): ${description}${deprecated ? ` **Deprecated.** ${deprecated}` : ''}`;
}

function typeWords(type: Type): string {
  if (typeof type === 'string') return type === 'dynamic' ? 'any type' : type;
  if ('tuple' in type) return `tuple of ${type.tuple.map(typeWords).join(', ')}`;
  if ('list' in type) return `list of ${typeWords(type.list)}`;
  if ('set' in type) return `set of ${typeWords(type.set)}`;
  if ('map' in type) return `map of ${typeWords(type.map)}`;
  const members = Object.entries(type.object).map(([name, each]) => `${name}: ${typeWords(each)}`);
  return `object { ${members.join(', ')} }`;
}

function nestingWords(nesting: Nesting, what: string): string {
  return nesting === 'single' ? what : `${nesting} of ${what}s`;
}

function importing({ name, import: imported }: Documented, examples: Examples): string {
  const example = examples.get(`imports/${name}`) ?? `import {\n  to = ${name}.example\n  id = "…"\n}`;
  return imported ? `\n## Import\n\n\`\`\`terraform\n${example.trim()}\n\`\`\`\n` : '';
}
