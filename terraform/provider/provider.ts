import type { Provider } from './plugin/index.ts';

/** The provider `signet/signet`. */
export const provider: Provider = {
  name: 'signet',
  version: '0.1.0',
  schema: {
    description: 'Registers workloads, hosts, services and policies with Signet.',
    attributes: {},
  },
  configure: async () => ({}),
  resources: [],
  dataSources: [],
  ephemeralResources: [],
};
