import type { EphemeralResource } from '../../../../terraform/provider/plugin/index.ts';
import type { Store } from './store.ts';

/** A secret that lives as long as a run. */
export const token: EphemeralResource<Store> = {
  name: 'probe_token',
  schema: {
    description: 'A secret that lives as long as a run.',
    attributes: {
      length: { type: 'number', required: true, description: 'Its length.' },
      renewals: { type: 'bool', optional: true, description: 'Whether it must be renewed.' },
      value: { type: 'string', computed: true, sensitive: true, description: 'The secret.' },
    },
  },
  async open({ client: store, config }) {
    store.tell('open');
    const value = 'ephemeral-secret-'.padEnd(Number(config['length']), 'x');
    return {
      result: { ...config, value },
      private: { lease: 'one' },
      ...(config['renewals'] === true && { renewAt: new Date() }),
    };
  },
  async renew({ client: store, private: kept }) {
    store.tell(`renew ${String(kept['lease'])}`);
    return { private: { lease: 'two' } };
  },
  async close({ client: store, private: kept }) {
    store.tell(`close ${String(kept['lease'])}`);
  },
};
