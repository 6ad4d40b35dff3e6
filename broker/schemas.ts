import { ENTRY_STATES } from '../lib/attestation/index.ts';
import type { Attestors } from './attestors/index.ts';
import { callSchemas } from './calls/schemas.ts';
import { delegationSchemas } from './delegations/schemas.ts';
import { PROBLEM_CODES } from './problem.ts';
import { instant, type JsonSchema, list, object, ref, type Schemas, text } from './schema.ts';
import { serviceSchemas } from './services/schemas.ts';

export { type JsonSchema, ref, type Schemas } from './schema.ts';

const tokenText: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9._-]{1,1024}$' };
const correlationId: JsonSchema = { type: 'string', pattern: '^[0-9a-f-]{36}$' };

/** Every schema of the document. Bodies are checked against these very objects. */
export function createSchemas(attestors: Attestors): Schemas {
  return {
    ...evidenceSchemas(attestors),
    ...attestation(attestors),
    ...registration,
    ...audit,
    ...callSchemas,
    ...delegationSchemas,
    ...serviceSchemas,
    ...rest,
  };
}

/** The name of a method's evidence schema: `Evidence-ssh-host`. */
function evidenceName(method: string): string {
  return `Evidence-${method}`;
}

function evidenceSchemas(attestors: Attestors): Schemas {
  return Object.fromEntries(
    Array.from(attestors.values(), ({ method, evidence }) => [evidenceName(method), evidence]),
  );
}

function attestation(attestors: Attestors): Schemas {
  const methods = [...attestors.keys()];
  return {
    Nothing: object({}),
    Challenge: object({
      challenge: text(128, 'good for 60 s, once, on this connection only'),
      expires_at: instant,
      trust_domain: text(255),
      server_time: instant,
    }),
    AttestRequest: {
      ...object({ method: { enum: methods }, challenge: text(128), evidence: { type: 'object' } }),
      allOf: methods.map((method) => ({
        if: { properties: { method: { const: method } } },
        // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
        then: { properties: { evidence: ref(evidenceName(method)) } },
      })),
    },
    Attested: object({
      spiffe_id: text(2048),
      ttl: { type: 'string', pattern: '^[1-9][0-9]{0,5}[smh]$', description: "the word for Vault's ttl" },
      ttl_seconds: { type: 'integer', minimum: 1 },
      instance: object(
        { id: text(64), generation: { type: 'integer', minimum: 0 } },
        'generation 0: nothing to advance, this workload renews with fresh evidence',
      ),
      grant: object({ wrapping_token: tokenText, creation_path: text(512), expires_at: instant }),
      vault: object({ address: text(2048), namespace: text(255), mount: text(128), role: text(128) }),
      bundles: { type: 'object', additionalProperties: ref('Bundle'), description: 'by trust domain' },
      correlation_id: correlationId,
    }),
    Alarm: object({ correlation_id: correlationId, wrapping_token: tokenText }),
  };
}

const entryFields: Readonly<Record<string, JsonSchema>> = {
  tenant: text(255),
  name: text(63),
  match: { type: 'object', additionalProperties: text(512), minProperties: 1, maxProperties: 32 },
  spiffe_id: text(2048, 'a segment may be a selector in braces: spiffe://example.org/ns/{k8s:ns}/sa/orders'),
  ttl: { type: 'string', pattern: '^[1-9][0-9]{0,5}[smh]$' },
};
const lists: Readonly<Record<string, JsonSchema>> = {
  networks: list(text(64), 64),
  federates_with: list(text(255), 64),
};

const appearBy: JsonSchema = {
  type: 'string',
  maxLength: 30,
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?Z$',
  description: 'UTC; from then on an entry that has never given an identity gives none',
};

const registration: Schemas = {
  NewEntry: object({
    ...entryFields,
    'networks?': lists['networks']!,
    'federates_with?': lists['federates_with']!,
    'appear_by?': appearBy,
    'state?': { const: 'active' },
  }),
  EntryChange: object({
    'tenant?': entryFields['tenant']!,
    'name?': entryFields['name']!,
    match: entryFields['match']!,
    spiffe_id: entryFields['spiffe_id']!,
    ttl: entryFields['ttl']!,
    'networks?': lists['networks']!,
    'federates_with?': lists['federates_with']!,
    'appear_by?': appearBy,
  }),
  Entry: object({
    ...entryFields,
    ...lists,
    state: { enum: ENTRY_STATES },
    'appear_by?': appearBy,
    'appeared_at?': {
      type: ['string', 'null'],
      description: 'where one entry with `appear_by` is asked for; null: nothing has appeared',
    },
  }),
  EntryList: object({ entries: list(ref('Entry')), unreadable: list(text(512)) }),
  JoinCodeRequest: object({
    'ttl_seconds?': { type: 'integer', minimum: 10, maximum: 86_400, default: 600 },
  }),
  JoinCode: object({ code: text(2048), expires_at: instant }),
};

const consideration = object({
  entry: text(512),
  state: { enum: ENTRY_STATES },
  matched: { type: 'boolean' },
  'differs?': object({ selector: text(128), wanted: text(512), found: list(text(4096)) }),
});

const version: JsonSchema = { type: 'integer', minimum: 0 };
const sealed: Readonly<Record<string, JsonSchema>> = {
  text: { type: 'string', description: 'what was signed, in its one form' },
  signature: text(128, 'ES256 of the transit key `policy`, base64url'),
  chain: list(text(16_384), 8),
};

const logName: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9_-]{22}$' };
const sha256: JsonSchema = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const seq: JsonSchema = { type: 'integer', minimum: 0 };

const audit: Schemas = {
  AuditBatch: object({
    log: logName,
    lines: list(text(65_536), 10_000),
  }),
  AuditStanding: object({
    log: logName,
    next: { ...seq, description: 'the number of the record that comes next: all before it are on the disk' },
    hash: { ...sha256, description: 'of the last record that is here' },
    'countersigned?': ref('Countersignature'),
  }),
  Countersignature: object({
    log: logName,
    id: text(2048),
    seq,
    hash: sha256,
    time: instant,
    key: { type: 'integer', minimum: 1, description: 'the version of the key' },
    sig: { type: 'string', pattern: '^[A-Za-z0-9_-]{86}$' },
  }),
  AuditKeys: object({
    format: { const: 'signet-audit-keys-v1' },
    trust_domain: text(255),
    bundle: ref('Bundle'),
    countersigning: { type: 'object', additionalProperties: text(4096), description: 'PEM by version' },
  }),
};

const rest: Schemas = {
  Bundle: {
    type: 'object',
    description: 'a SPIFFE bundle (JWKS)',
    properties: {
      spiffe_sequence: { type: 'integer', minimum: 0 },
      spiffe_refresh_hint: { type: 'integer', minimum: 1 },
      keys: list({ type: 'object', required: ['kty', 'use'] }),
    },
    required: ['spiffe_sequence', 'keys'],
  },
  Explanation: object({
    correlation_id: correlationId,
    time: instant,
    source: text(64),
    method: text(64),
    outcome: { enum: ['granted', ...PROBLEM_CODES] },
    'reason?': text(4096),
    'selectors?': { type: 'object', additionalProperties: list(text(4096)) },
    considered: list(consideration),
    considered_more: { type: 'integer', minimum: 0 },
    'entry?': text(512),
    'spiffe_id?': text(2048),
    'instance?': text(64),
  }),
  Delivery: object({
    'policies?': object({
      ...sealed,
      documents: list(object({ name: text(256), target: text(2048), text: { type: 'string' } }), 10_000),
    }),
    'denylist?': object(sealed),
  }),
  PolicyStatus: object({
    published: {
      oneOf: [
        { type: 'null' },
        object({
          version,
          author: text(256),
          published_at: instant,
          targets: list(object({ target: text(2048), documents: list(text(256)) })),
        }),
      ],
    },
    denylist: {
      oneOf: [{ type: 'null' }, object({ version, author: text(256), published_at: instant })],
    },
    sidecars: list(
      object({
        spiffe_id: text(2048),
        serial: text(64),
        version: { type: ['integer', 'null'], minimum: 0, description: 'null: it takes none' },
        denylist_version: version,
        fault: { type: ['string', 'null'] },
        seen_at: instant,
      }),
    ),
  }),
  Health: object({ status: { enum: ['ok', 'unavailable'] }, waiting_for: list(text(128)) }),
  Problem: object(
    {
      type: text(128),
      title: text(256),
      status: { type: 'integer' },
      code: { enum: PROBLEM_CODES },
      'detail?': text(4096),
      'errors?': list(object({ pointer: text(512), message: text(4096) })),
      correlation_id: correlationId,
    },
    'RFC 9457; branch on code',
  ),
};
