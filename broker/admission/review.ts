import { type JsonSchema, object, text } from '../schema.ts';
import type { Operation } from './patch.ts';
import { type Json, recordOf, textIn } from './values.ts';

/** A request of an API server, as far as it matters. */
export type Request = {
  readonly uid: string;
  readonly operation: string;
  readonly namespace: string;
  readonly object: unknown;
  readonly oldObject: unknown;
  /** A pod, or one of its subresources that carries the whole pod. */
  readonly aboutPod: boolean;
};

export type Answer =
  | { readonly allowed: true; readonly patch?: readonly Operation[]; readonly warnings?: readonly string[] }
  /** 403: it may not be; 503: it cannot be known now. */
  | { readonly allowed: false; readonly code: 403 | 503; readonly message: string };

const KIND = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' } as const;
/** Longer ones an API server cuts off. */
const LONGEST_WARNING = 250;
const MOST_WARNINGS = 8;
const LONGEST_MESSAGE = 2_000;

/** A body that the schema has let through. */
export function readReview(body: unknown): Request {
  const request = recordOf(recordOf(body)['request']);
  const kind = recordOf(request['kind']);
  return {
    uid: String(request['uid']),
    operation: String(request['operation']),
    namespace: textIn(request, 'namespace') ?? '',
    object: request['object'],
    oldObject: request['oldObject'],
    aboutPod: kind['group'] === '' && kind['version'] === 'v1' && kind['kind'] === 'Pod',
  };
}

export function reviewOf({ uid }: Request, answer: Answer): Json {
  if (!answer.allowed) {
    const { code, message } = answer;
    const reason = code === 403 ? 'Forbidden' : 'ServiceUnavailable';
    const status = { code, reason, message: `signet: ${message}`.slice(0, LONGEST_MESSAGE) };
    return { ...KIND, response: { uid, allowed: false, status } };
  }
  const { patch = [], warnings = [] } = answer;
  return {
    ...KIND,
    response: {
      uid,
      allowed: true,
      ...(patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
      ...(warnings.length === 0
        ? {}
        : {
            warnings: warnings
              .slice(0, MOST_WARNINGS)
              .map((line) => `signet: ${line}`.slice(0, LONGEST_WARNING)),
          }),
    },
  };
}

const kindSchema: JsonSchema = {
  type: 'object',
  required: ['version', 'kind'],
  properties: { group: text(255), version: text(63), kind: text(63) },
};

/** What comes is held against the few fields that are read: an API server may say more in its next version. */
export const ADMISSION_SCHEMAS = {
  AdmissionReview: {
    type: 'object',
    description: 'as the API server of Kubernetes sends it, admission.k8s.io/v1',
    required: ['apiVersion', 'kind', 'request'],
    properties: {
      apiVersion: { const: KIND.apiVersion },
      kind: { const: KIND.kind },
      request: {
        type: 'object',
        required: ['uid', 'kind', 'operation'],
        properties: {
          uid: { type: 'string', minLength: 1, maxLength: 128 },
          kind: kindSchema,
          operation: { enum: ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] },
          namespace: text(253),
          object: { type: ['object', 'null'] },
          oldObject: { type: ['object', 'null'] },
        },
      },
    },
  },
  AdmissionAnswer: object({
    apiVersion: { const: KIND.apiVersion },
    kind: { const: KIND.kind },
    response: object({
      uid: text(128),
      allowed: { type: 'boolean' },
      'patchType?': { const: 'JSONPatch' },
      'patch?': { type: 'string' },
      'warnings?': { type: 'array', items: text(256) },
      'status?': object({ code: { type: 'integer' }, reason: text(63), message: text(LONGEST_MESSAGE) }),
    }),
  }),
} as const satisfies Readonly<Record<string, JsonSchema>>;
