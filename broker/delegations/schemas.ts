import { instant, list, object, type Schemas, text } from '../schema.ts';

export const delegationSchemas: Schemas = {
  RunToken: object({ token: text(16_384, 'the token as the run was given it') }),
  Delegated: object({
    access: { enum: ['write', 'read'], description: 'read: the run only plans' },
    tenant: text(255),
    id_prefixes: list(text(2048), 64),
    entries: text(63, 'how the names of its entries begin'),
    token: text(1024, 'for X-Vault-Token'),
    expires_at: instant,
    correlation_id: { type: 'string', pattern: '^[0-9a-f-]{36}$' },
  }),
};
