import type { SpiffeId } from '../spiffe/index.ts';
import { type Attributes, attributesOf } from './attributes.ts';

/** Of whom all that is sent tells. */
export type Resource = { readonly attributes: ReturnType<typeof attributesOf> };

export function resourceOf(attributes: Attributes): Resource {
  return { attributes: attributesOf(attributes) };
}

/**
 * What OpenTelemetry's conventions call a workload, from its SPIFFE ID: in the forms that Signet gives out by what their segments mean,
 * in any other by the whole path.
 */
export function serviceOf(id: SpiffeId): Attributes {
  return { ...named(id.segments), 'signet.spiffe_id': id.toString() };
}

function named([kind, name, second, version, third, ...rest]: readonly string[]): Attributes {
  const all = [kind, name, second, version, third, ...rest].filter((segment) => segment !== undefined);
  if (kind === 'ns' && second === 'sa' && all.length === 4)
    return { 'service.name': version!, 'service.namespace': name! };
  const typed = (kind === 'service-type' || kind === 'device-type') && second === 'ver' && third === 'ins';
  return typed && all.length === 6
    ? { 'service.name': name!, 'service.version': version! }
    : { 'service.name': all.join('/') };
}
