import { instant, list, object, ref, type Schemas, text } from '../schema.ts';
import { MOST_ADDRESSES, MOST_IDS } from './registered-service.ts';

const port = { type: 'integer', minimum: 0, maximum: 65_535 } as const;

const addresses = list(text(64, 'of a sidecar, such as 10.0.0.5:8443'), MOST_ADDRESSES);
const ids = list(text(2048), MOST_IDS);

/** What sidecars are told of a cluster's Services. */
export const serviceSchemas: Schemas = {
  Services: object({
    cluster: text(63, 'empty: no cluster was asked for'),
    version: text(64, 'of the list; every broker gives the same list the same one'),
    seen_at: { ...instant, description: 'when this was last known to be so' },
    services: list(ref('Service'), 5_000),
    registered: list(ref('ServiceHost'), 2_000),
  }),
  ServiceHost: object(
    { host: text(253), addresses, spiffe_ids: ids },
    'any of the IDs may answer at any address',
  ),
  RegisteredService: object({
    tenant: text(255),
    name: text(63),
    host: text(253),
    addresses,
    spiffe_ids: ids,
  }),
  ServiceRegistration: object({
    'tenant?': text(255),
    'name?': text(63),
    host: text(253, 'what an app asks for, such as orders.internal'),
    addresses,
    spiffe_ids: ids,
  }),
  RegisteredServiceList: object({
    services: list(ref('RegisteredService')),
    unreadable: list(text(512)),
  }),
  Service: object({
    name: text(63),
    namespace: text(63),
    cluster_ips: list(text(45), 8),
    'absent?': {
      enum: ['external_name', 'no_ports', 'not_injected', 'other_port', 'other_account', 'no_identity'],
      description: 'why no sidecar can call it',
    },
    ports: list(ref('ServicePort'), 64),
  }),
  ServicePort: object({
    port,
    target: { ...port, description: "the pods' own, of a headless Service; 0 where it says nothing" },
    endpoints: list(ref('ServiceEndpoint')),
  }),
  ServiceEndpoint: object({
    address: text(64, "of the pod's sidecar"),
    spiffe_id: text(2048, 'who has to answer there'),
  }),
};
