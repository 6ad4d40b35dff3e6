import type { Provider } from '../resource.ts';
import { configurationHandlers } from './configuration.ts';
import { dataSourceHandlers } from './data-sources.ts';
import { ephemeralHandlers } from './ephemeral.ts';
import type { Handlers } from './messages.ts';
import { resourceHandlers } from './resources.ts';
import { schemaHandlers } from './schemas.ts';
import { type Log, Session } from './session.ts';

export type { Handler, Message } from './messages.ts';
export type { Log } from './session.ts';

/** The provider as the calls of protocol 6, by their names. What is not among them is answered as unimplemented. */
export function createService<Client>(provider: Provider<Client>, log: Log): Handlers {
  const session = new Session(provider, log);
  return {
    ...schemaHandlers(provider as Provider<never>),
    ...configurationHandlers(session),
    ...resourceHandlers(session),
    ...dataSourceHandlers(session),
    ...ephemeralHandlers(session),
    StopProvider: async () => {
      session.stop();
      return { Error: '' };
    },
  };
}
