import { instant, list, object, ref, type Schemas, text } from '../schema.ts';

const port = { type: 'integer', minimum: 0, maximum: 65_535 } as const;

/** What sidecars are told of a cluster's Services. */
export const serviceSchemas: Schemas = {
  Services: object({
    cluster: text(63),
    version: text(64, 'of the list; every broker gives the same list the same one'),
    seen_at: { ...instant, description: 'when the API server last said that this is so' },
    services: list(ref('Service'), 5_000),
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
