import { type Defect, SignetError } from '../lib/errors.ts';

/** Every answer that is not what was asked for: its status and what it says to a caller, who learns no more than that. */
const PROBLEMS = {
  malformed: [400, 'the request is not of the form that the OpenAPI document gives'],
  vault_refused: [400, 'Vault refuses this write'],
  challenge_invalid: [401, 'the challenge is expired, used, or of another connection'],
  token_missing: [401, 'this needs a Vault token in X-Vault-Token'],
  run_token_invalid: [401, 'the token is none that the issuer signed for this'],
  run_token_issuer: [401, 'the token is of another issuer'],
  run_token_audience: [401, 'the token is for others'],
  run_token_expired: [401, 'the token has run out'],
  svid_needed: [401, 'this needs a valid SVID of this trust domain, shown in the handshake'],
  attestation_refused: [403, 'the evidence proves nothing'],
  no_entry: [403, 'no registration entry matches'],
  entry_ambiguous: [403, 'several registration entries match and none wins'],
  entry_disabled: [403, 'the registration entry is disabled'],
  entry_overdue: [403, 'nothing appeared for this registration entry in the time that it was given'],
  instance_locked: [403, 'this instance is locked'],
  identity_denied: [403, 'this identity is denied'],
  run_not_delegated: [403, 'to what this token says, nothing is delegated'],
  run_token_spent: [403, 'the token was shown before'],
  vault_denied: [403, 'Vault denies this to your token'],
  no_route: [404, 'there is nothing here'],
  entry_not_found: [404, 'there is no such entry'],
  service_not_found: [404, 'there is no such registered service'],
  explanation_not_found: [404, 'this broker remembers no such attestation'],
  unknown_grant: [404, 'this broker knows no such grant'],
  cluster_unknown: [404, 'this broker watches no such cluster'],
  audit_not_collected: [404, 'this broker collects no audit'],
  method_not_allowed: [405, 'this method is not for here'],
  request_timeout: [408, 'the request took too long to arrive'],
  entry_exists: [409, 'an entry of this name exists and differs'],
  entry_overlaps: [409, 'a workload could match this entry and another, and could not be told apart'],
  entry_state: [409, 'the entry is in a state that does not allow this'],
  service_host_taken: [409, 'another service has this host'],
  service_limit: [409, 'the tenant has as many services as it may'],
  service_unreadable: [409, 'what is registered there cannot be read as a service'],
  concurrent_write: [409, 'somebody else wrote at the same time'],
  audit_not_next: [409, 'these records do not go on from those that are here'],
  too_large: [413, 'the body is too large'],
  unsupported_media_type: [415, 'the body is plain application/json'],
  rate_limited: [429, 'too many requests'],
  headers_too_large: [431, 'the head of the request is too large'],
  internal: [500, 'the broker failed'],
  vault_unavailable: [503, 'Vault cannot be reached or answers nothing usable'],
  issuer_unavailable: [503, 'the keys of the issuer cannot be had now'],
  cluster_unavailable: [503, 'the cluster that issued the evidence cannot be asked now'],
  services_unavailable: [503, 'the Services of this cluster have not been read yet'],
  overloaded: [503, 'too many requests of this kind are under way'],
  audit_unwritable: [503, 'the audit cannot be written here now'],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

export type ProblemDetails = ErrorOptions & {
  /** For whoever wrote the request. Only where Vault has let them in, and never Vault's own words. */
  readonly detail?: string;
  readonly errors?: readonly Defect[];
  readonly retryAfterSeconds?: number;
};

/** A refusal on its way to the caller as an RFC 9457 document. */
export class Problem extends SignetError<ProblemCode> {
  override readonly name = 'Problem';
  readonly status: number;
  readonly details: ProblemDetails;
  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(code, PROBLEMS[code][1], details);
    this.status = PROBLEMS[code][0];
    this.details = details;
  }
}

/** The document itself. */
export function problemDocument(problem: Problem, correlationId: string): Record<string, unknown> {
  const { detail, errors } = problem.details;
  return {
    type: `urn:signet:problem:${problem.code}`,
    title: problem.message,
    status: problem.status,
    code: problem.code,
    ...(detail === undefined ? {} : { detail }),
    ...(errors === undefined ? {} : { errors }),
    correlation_id: correlationId,
  };
}

export const PROBLEM_TYPE = 'application/problem+json';

/** The codes by their status, each once. */
export function problemsByStatus(codes: readonly ProblemCode[]): Map<number, ProblemCode[]> {
  const table = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    const status = PROBLEMS[code][0];
    table.set(status, [...(table.get(status) ?? []), code]);
  }
  return table;
}
