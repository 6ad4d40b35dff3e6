import type { Provider } from '../resource.ts';
import { schemaMessage } from '../schema-message.ts';
import { withTimeouts } from '../timeouts.ts';
import type { Handlers } from './messages.ts';

/** What the provider consists of. */
export function schemaHandlers(provider: Provider<never>): Handlers {
  const { resources, dataSources, ephemeralResources } = provider;
  const capabilities = {
    plan_destroy: false,
    get_provider_schema_optional: true,
    move_resource_state: false,
  };
  const names = (types: readonly { readonly name: string }[]) =>
    types.map(({ name }) => ({ type_name: name }));
  const schemas = {
    provider: schemaMessage(provider.schema),
    provider_meta: null,
    resource_schemas: byName(resources),
    data_source_schemas: byName(dataSources),
    ephemeral_resource_schemas: byName(ephemeralResources),
    functions: {},
    server_capabilities: capabilities,
    diagnostics: [],
  };
  return {
    GetMetadata: async () => ({
      server_capabilities: capabilities,
      resources: names(resources),
      data_sources: names(dataSources),
      ephemeral_resources: names(ephemeralResources),
      functions: [],
      diagnostics: [],
    }),
    GetProviderSchema: async () => schemas,
    GetResourceIdentitySchemas: async () => ({ identity_schemas: {}, diagnostics: [] }),
    GetFunctions: async () => ({ functions: {}, diagnostics: [] }),
  };
}

type Typed = Pick<Provider['resources'][number], 'name' | 'schema' | 'timeouts'>;

function byName(types: readonly Typed[]): object {
  return Object.fromEntries(
    types.map(({ name, schema, timeouts }) => [name, schemaMessage(withTimeouts(schema, timeouts))]),
  );
}
