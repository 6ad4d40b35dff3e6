import { type Provider, problem, UNKNOWN } from '../../../../terraform/provider/plugin/index.ts';
import { Store } from './store.ts';
import { thing, thingData } from './thing.ts';
import { token } from './token.ts';

/** A provider that does nothing but use everything of the framework. */
export const probe: Provider<Store> = {
  name: 'probe',
  version: '0.1.0',
  schema: {
    description: 'A probe.',
    attributes: {
      store: { type: 'string', required: true, description: 'The folder of its store.' },
      key: { type: 'string', optional: true, sensitive: true, description: 'A key.' },
    },
  },
  validate: ({ store }) => (store === '' ? [problem('No store', 'Name a folder.', ['store'])] : []),
  configure: async ({ config: { store } }) => (store === UNKNOWN ? undefined : new Store(String(store))),
  resources: [thing],
  dataSources: [thingData],
  ephemeralResources: [token],
};
