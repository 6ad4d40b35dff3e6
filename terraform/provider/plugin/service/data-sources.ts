import { complete } from '../complete.ts';
import { timeoutOf, withTimeouts, withTimeoutsOf } from '../timeouts.ts';
import { typeOfBody } from '../types.ts';
import { encodeValue } from '../wire/index.ts';
import { unknownType, valuesOf } from './configuration.ts';
import { Findings, type Handlers } from './messages.ts';
import type { Session } from './session.ts';

/** Decoding is part of the work: until then it has this time. */
const USUAL = 5 * 60_000;

export function dataSourceHandlers<Client>(session: Session<Client>): Handlers {
  return {
    ReadDataSource: async (request, signal) => {
      const source = session.provider.dataSources.find(({ name }) => name === request.type_name);
      if (!source) return { diagnostics: unknownType(request.type_name).messages };
      const findings = new Findings();
      const schema = withTimeouts(source.schema, source.timeouts);
      const done = await session.run(`${source.name}: read`, signal, USUAL, async (call) => {
        const config = valuesOf(request.config, schema);
        const inner = await session.run(
          `${source.name}: read`,
          call,
          timeoutOf('read', source.timeouts ?? { read: USUAL }, config),
          (within) => source.read({ client: session.client, signal: within, config, warn: findings.warn }),
        );
        if ('error' in inner) {
          findings.add(...inner.diagnostics);
          return undefined;
        }
        return encodeValue(complete(schema, withTimeoutsOf(config, inner.value, schema)), typeOfBody(schema));
      });
      if ('error' in done) findings.add(...done.diagnostics);
      return { ...('value' in done && done.value && { state: done.value }), diagnostics: findings.messages };
    },
  };
}
