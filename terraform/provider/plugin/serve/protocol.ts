import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import tfplugin6 from '../proto/tfplugin6.json' with { type: 'json' };

/** The service `tfplugin6.Provider`, of the protocol's published description (`proto/`). */
export function providerService(): ServiceDefinition {
  const definition = fromJSON(tfplugin6 as Parameters<typeof fromJSON>[0], {
    keepCase: true,
    defaults: true,
    longs: Number,
  });
  const { tfplugin6: made } = loadPackageDefinition(definition) as unknown as {
    readonly tfplugin6: { readonly Provider: { readonly service: ServiceDefinition } };
  };
  return made.Provider.service;
}
