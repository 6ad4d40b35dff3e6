import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import {
  type Attribute,
  caution,
  type DataSource,
  isValues,
  ProviderError,
  problem,
  type ResourceType,
  type Schema,
  UNKNOWN,
  type Value,
  type Values,
} from '../../../../terraform/provider/plugin/index.ts';
import type { Store } from './store.ts';

const optional = { type: 'string', optional: true, description: 'A text.' } as const;

/** Attributes with one that is computed, for all four ways to nest them. */
const member: { readonly [name: string]: Attribute } = {
  label: { type: 'string', required: true, description: 'What it is called.' },
  hint: { ...optional, description: 'A hint.' },
  mark: { type: 'string', computed: true, useStateForUnknown: true, description: 'Of the label.' },
};
const nested = (nesting: 'single' | 'list' | 'set' | 'map'): Attribute => ({
  nested: { nesting, attributes: member },
  optional: true,
  description: `Members, ${nesting}.`,
});

const thingSchema: Schema = {
  version: 2,
  description: 'A thing with one attribute of every kind.',
  attributes: {
    name: {
      type: 'string',
      required: true,
      requiresReplace: true,
      description: 'Its name.',
      validate: (value) => (/^[a-z-]+$/.test(String(value)) ? undefined : 'Only small letters and dashes.'),
    },
    id: { type: 'string', computed: true, useStateForUnknown: true, description: 'Its id.' },
    revision: { type: 'number', computed: true, description: 'How often it was written.' },
    note: { ...optional, description: 'A note.' },
    size: { type: 'number', default: 1, description: 'Its size.' },
    ratio: { type: 'number', optional: true, description: 'A ratio.' },
    on: { type: 'bool', optional: true, computed: true, description: 'Whether it is on; true if not set.' },
    list: { type: { list: 'string' }, optional: true, description: 'A list.' },
    set: { type: { set: 'string' }, optional: true, description: 'A set.' },
    map: { type: { map: 'number' }, optional: true, description: 'A map.' },
    object: {
      type: { object: { a: 'string', b: { list: 'bool' } } },
      optional: true,
      description: 'An object.',
    },
    any: { type: 'dynamic', optional: true, description: 'Of any type.' },
    one: nested('single'),
    many: nested('list'),
    some: nested('set'),
    named: nested('map'),
    password: { ...optional, sensitive: true, description: 'A secret in the state.' },
    token: { ...optional, writeOnly: true, description: 'A secret in no state.' },
    token_version: { type: 'number', optional: true, description: 'Raised to write another token.' },
    behaviour: { ...optional, description: 'What goes wrong.' },
    old: { ...optional, deprecated: 'Use `note`.', description: 'A note, formerly.' },
  },
  blocks: {
    port: {
      nesting: 'list',
      max: 20_000,
      description: 'A port.',
      attributes: {
        number: { type: 'number', required: true, description: 'Its number.' },
        open: { type: 'bool', default: false, description: 'Whether it is open.' },
      },
      blocks: {
        from: {
          nesting: 'set',
          description: 'From where.',
          attributes: { network: { ...optional, description: 'A network.' } },
        },
      },
    },
    limits: {
      nesting: 'single',
      description: 'Limits.',
      attributes: {
        most: { type: 'number', optional: true, requiresReplace: true, description: 'At most so many.' },
        seen: { type: 'number', computed: true, useStateForUnknown: true, description: 'So many were seen.' },
      },
    },
  },
};

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

/** A state out of a plan: whatever is unknown is decided. */
function decided(planned: Values, revision: number, store: Store): Values {
  const fill = (value: Value, name: string, around: Values): Value => {
    if (value === UNKNOWN) {
      if (name === 'mark') return `mark of ${String(around['label'])}`;
      return name === 'revision'
        ? revision
        : name === 'on'
          ? true
          : name === 'seen'
            ? 7
            : `id-${String(planned['name'])}`;
    }
    if (Array.isArray(value)) return value.map((each) => fill(each, name, around));
    if (!isValues(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each, key, value)]));
  };
  store.tell(`decided ${String(planned['name'])}`);
  return { ...(fill(planned, '', planned) as Values), revision };
}

async function until(signal: AbortSignal): Promise<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  throw signal.reason;
}

export const thing: ResourceType<Store> = {
  name: 'probe_thing',
  schema: thingSchema,
  timeouts: { create: 60_000 },
  validate: (config) =>
    config['note'] === 'forbidden'
      ? [
          problem('A note that is forbidden', 'Write another.', ['note']),
          caution('And a warning', undefined, ['size']),
        ]
      : [],
  plan: ({ planned, config }) => {
    if (config['behaviour'] === 'plan-throws')
      throw new TypeError(`never shown: ${String(config['password'])}`);
    // What the provider knows beforehand need not be unknown.
    return config['on'] === null && planned['on'] === UNKNOWN ? { planned: { ...planned, on: true } } : {};
  },
  async create({ client: store, planned, config, signal, warn }) {
    const name = String(planned['name']);
    store.tell(`create ${name} token ${config['token'] === null ? 'unset' : hash(String(config['token']))}`);
    const state = decided(planned, 1, store);
    switch (planned['behaviour']) {
      case 'slow':
        store.tell(`waiting ${name}`);
        try {
          await until(signal);
        } catch (error) {
          store.tell(`told ${name}`);
          throw error;
        }
        break;
      case 'until-renewed':
        while (!store.told().includes('renew one')) await setTimeout(50, undefined, { signal });
        break;
      case 'half':
        store.change((things) => void (things[name] = { revision: 1 }));
        throw new ProviderError(problem('Only half of it was made', 'Try again.', ['many', 0, 'label']), {
          state,
        });
      case 'refused':
        throw new ProviderError([
          problem('Not this name', 'Because.', ['name']),
          problem('Nor this element', 'Because.', ['named', { key: 'x' }, 'label']),
        ]);
      case 'throws':
        throw new TypeError(`never shown: ${String(config['password'])} ${String(config['token'])}`);
      case 'dies':
        setImmediate(() => {
          throw new TypeError(`never shown: ${String(config['password'])} ${String(config['token'])}`);
        });
        await until(signal);
        break;
      case 'unfit':
        store.change((things) => void (things[name] = { revision: 1 }));
        return { state: { ...state, revision: 'one' } };
      case 'warns':
        warn(caution('It was made with care', 'Look at it.', ['note']));
    }
    store.change((things) => void (things[name] = { revision: 1, note: state['note'] }));
    return { state, private: { made: 1 } };
  },
  async read({ client: store, state, private: kept }) {
    const there = store.things()[String(state['name'])];
    if (!there) return undefined;
    store.tell(`read ${String(state['name'])} ${JSON.stringify(kept)}`);
    return {
      state: { ...state, note: (there['note'] ?? null) as Value, revision: there['revision'] as number },
    };
  },
  async update({ client: store, planned, prior, config, private: kept }) {
    const name = String(planned['name']);
    store.tell(
      `update ${name} token ${config['token'] === null ? 'unset' : hash(String(config['token']))} ${JSON.stringify(kept)}`,
    );
    if (planned['behaviour'] === 'refused')
      throw new ProviderError(problem('No update', 'Because.', ['size']));
    const revision = Number(prior['revision']) + 1;
    store.change((things) => void (things[name] = { revision, note: planned['note'] }));
    return { state: decided(planned, revision, store), private: { ...kept, updated: revision } };
  },
  async remove({ client: store, state }) {
    store.tell(`remove ${String(state['name'])}`);
    store.change((things) => void delete things[String(state['name'])]);
  },
  async import({ id, client: store }) {
    if (!store.things()[id]) throw new ProviderError(problem(`There is no thing ${id}`));
    return { state: { name: id, id: `id-${id}`, size: 1, on: true } };
  },
  upgrade: (_version, { title, ...rest }) => ({
    name: String(title),
    size: 1,
    on: true,
    revision: Number(rest['revision']),
    id: String(rest['id']),
  }),
};

export const thingData: DataSource<Store> = {
  name: 'probe_thing',
  timeouts: { read: 30_000 },
  schema: {
    description: 'Reads a thing.',
    attributes: {
      name: { type: 'string', required: true, description: 'Its name.' },
      revision: { type: 'number', computed: true, description: 'How often it was written.' },
    },
  },
  async read({ client: store, config }) {
    const there = store.things()[String(config['name'])];
    if (!there) throw new ProviderError(problem('There is no such thing', undefined, ['name']));
    return { ...config, revision: there['revision'] as number };
  },
};
