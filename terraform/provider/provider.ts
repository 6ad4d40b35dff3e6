import { bundle, status } from './about.ts';
import type { Client } from './client.ts';
import { configure, PROVIDER_ATTRIBUTES, validateProvider } from './configuration.ts';
import { entry, entryData } from './entry.ts';
import { host } from './host.ts';
import { join } from './join.ts';
import type { Provider } from './plugin/index.ts';
import { policy } from './policy.ts';
import { service } from './service.ts';

/** The provider `signet/signet`. */
export const provider: Provider<Client> = {
  name: 'signet',
  version: '0.1.0',
  schema: {
    description:
      'Registers workloads and machines with a Signet broker, by the right of the run that does it. No token of it is in plan or state.',
    attributes: PROVIDER_ATTRIBUTES,
  },
  validate: validateProvider,
  configure,
  resources: [entry, host, policy, service],
  dataSources: [entryData, bundle, status],
  ephemeralResources: [join],
};
