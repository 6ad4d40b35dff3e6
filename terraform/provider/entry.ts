import { type Entry, parseSelectorKey } from '../../lib/attestation/index.ts';
import { isName, isTenant, textOf, wordsOf } from './checks.ts';
import type { Client } from './client.ts';
import {
  contentOf,
  createEntry,
  ENTRY_ATTRIBUTES,
  entryValues,
  readEntry,
  removeEntry,
  replaceEntry,
  split,
  written,
} from './entries.ts';
import {
  type DataSource,
  type Diagnostic,
  isValues,
  ProviderError,
  problem,
  type ResourceType,
  type Values,
} from './plugin/index.ts';

const MATCH =
  'What a workload must show, by selector: `{ "k8s:ns" = "shop", "k8s:sa" = "orders" }`. All must be met, and all are of one kind.';

/** A registration entry: what a workload must show, and the SPIFFE ID it then gets. */
export const entry: ResourceType<Client> = {
  name: 'signet_entry',
  schema: {
    description:
      'A registration entry: what a workload must show, and the SPIFFE ID it then gets. For a machine, `signet_host` says the same in its own words. Removing it ends the identity: the next renewal is refused.',
    attributes: {
      ...ENTRY_ATTRIBUTES,
      match: { type: { map: 'string' }, required: true, description: MATCH },
    },
  },
  timeouts: { create: 120_000, read: 60_000, update: 120_000, delete: 120_000 },
  validate: (config) => selectorFlaws(config),
  async create({ client, planned, signal }) {
    return {
      state: stateOf(
        await createEntry(client, content(planned), planned['enabled'] !== false, how(planned, signal)),
      ),
    };
  },
  async read({ client, state, signal }) {
    const found = await readEntry(client, String(state['id']), signal);
    return found && { state: stateOf(found) };
  },
  async update({ client, planned, signal }) {
    return {
      state: stateOf(
        await replaceEntry(client, content(planned), planned['enabled'] !== false, how(planned, signal)),
      ),
    };
  },
  remove: ({ client, state, signal }) => removeEntry(client, String(state['id']), signal),
  async import({ client, id, signal }) {
    split(id);
    const found = await readEntry(client, id, signal);
    if (found === undefined) throw new ProviderError(problem(`There is no entry ${id}`));
    return { state: stateOf(found) };
  },
};

export const entryData: DataSource<Client> = {
  name: 'signet_entry',
  schema: {
    description: 'An entry that somebody else registered.',
    attributes: {
      ...Object.fromEntries(
        Object.entries(ENTRY_ATTRIBUTES).map(([name, { description, type }]) => [
          name,
          { ...(type !== undefined && { type }), description, computed: true },
        ]),
      ),
      tenant: { type: 'string', required: true, validate: isTenant, description: 'Whose it is.' },
      name: { type: 'string', required: true, validate: isName, description: 'Its name.' },
      match: { type: { map: 'string' }, computed: true, description: MATCH },
    },
  },
  async read({ client, config, signal }) {
    const id = `${textOf(config['tenant'])}/${textOf(config['name'])}`;
    const found = await readEntry(client, id, signal);
    if (found === undefined) throw new ProviderError(problem(`There is no entry ${id}`, undefined, ['name']));
    return stateOf(found);
  },
};

function how(planned: Values, signal: AbortSignal) {
  const { tenant, name, spiffe_id } = content(planned);
  const write = written('signet_entry', { tenant, name }, spiffe_id, (pointer) => {
    const [, field, key] = pointer.split('/');
    if (field !== 'match') return undefined;
    return key === undefined
      ? ['match']
      : ['match', { key: key.replaceAll('~1', '/').replaceAll('~0', '~') }];
  });
  return { write, signal };
}

function content(planned: Values) {
  return contentOf(planned, wordsOf(planned['match']) ?? {});
}

function stateOf(found: Entry): Values {
  return { ...entryValues(found), match: found.match };
}

/** What can be told of selectors without asking anybody. */
function selectorFlaws(config: Values): Diagnostic[] {
  const match = config['match'];
  if (!isValues(match)) return [];
  const keys = Object.keys(match);
  if (keys.length === 0)
    return [problem('No selectors', 'An entry that asks for nothing would match everyone.', ['match'])];
  const flaws = keys
    .filter((key) => parseSelectorKey(key) === undefined)
    .map((key) =>
      problem('That is no selector', `${key} is not kind:claim, such as k8s:ns.`, ['match', { key }]),
    );
  const kinds = new Set(keys.map((key) => key.split(':')[0]));
  if (kinds.size > 1)
    flaws.push(
      problem(
        'Selectors of several kinds',
        `A workload shows evidence of one kind, and not ${[...kinds].join(' and ')}.`,
        ['match'],
      ),
    );
  return flaws;
}
