import { SignetError } from '../errors.ts';
import { Secret } from '../secret.ts';

/**
 * - `VAULT_DENIED` 403: the token may not do this, or is not (any more) a token: `tokenInvalid` tells which.
 * - `VAULT_NOT_FOUND` 404.
 * - `VAULT_BAD_REQUEST` 400, 405 and the like: Vault will answer the same next time.
 * - `VAULT_CAS_CONFLICT` 400 of a check-and-set write: somebody else wrote first.
 * - `VAULT_WRAPPING_GONE` 400: the wrapping token is spent, expired or was never one. For a grant or a join code: a theft alarm.
 * - `VAULT_RATE_LIMITED` 429: a quota of Vault's.
 * - `VAULT_SEALED` 503 of a sealed or uninitialised Vault.
 * - `VAULT_UNAVAILABLE` no answer, a broken or oversized one, a redirect, or 5xx: try later. The call may have taken effect.
 * - `VAULT_TIMEOUT` no whole answer in time. The call may have taken effect.
 * - `VAULT_ABORTED` the caller's signal fired.
 */
export type VaultErrorCode =
  | 'VAULT_DENIED'
  | 'VAULT_NOT_FOUND'
  | 'VAULT_BAD_REQUEST'
  | 'VAULT_CAS_CONFLICT'
  | 'VAULT_WRAPPING_GONE'
  | 'VAULT_RATE_LIMITED'
  | 'VAULT_SEALED'
  | 'VAULT_UNAVAILABLE'
  | 'VAULT_TIMEOUT'
  | 'VAULT_ABORTED';

type Details = ErrorOptions & { readonly status?: number; readonly says?: string };

/**
 * A call that Vault refused or never answered. The message is the method, the path and the kind of failure: Vault's own words may
 * quote what was sent, so they are kept apart in `says`, for whoever typed the command.
 */
export class VaultError extends SignetError<VaultErrorCode> {
  override readonly name = 'VaultError';
  readonly status: number | undefined;
  readonly says: Secret;
  /** The 403 was for the token, not for what it asked: log in again. */
  readonly tokenInvalid: boolean;

  constructor(code: VaultErrorCode, message: string, details: Details = {}) {
    super(code, message, details);
    this.status = details.status;
    this.says = new Secret(details.says ?? '');
    this.tokenInvalid = code === 'VAULT_DENIED' && /\binvalid token\b|bad token/.test(details.says ?? '');
  }
}

/** The error that an HTTP answer other than 2xx stands for. `what` is method and path. */
export function refusal(what: string, status: number, body: unknown): VaultError {
  const says = wordsOf(body);
  const code = codeOf(status, says);
  return new VaultError(code, `${what}: ${MEANING[code]} (HTTP ${status})`, { status, says });
}

const MEANING: Record<VaultErrorCode, string> = {
  VAULT_DENIED: 'vault denies it to this token',
  VAULT_NOT_FOUND: 'vault has nothing there',
  VAULT_BAD_REQUEST: 'vault refuses the request',
  VAULT_CAS_CONFLICT: 'another writer came first',
  VAULT_WRAPPING_GONE: 'the wrapping token is spent or was never one',
  VAULT_RATE_LIMITED: "vault's rate limit is reached",
  VAULT_SEALED: 'vault is sealed',
  VAULT_UNAVAILABLE: 'vault cannot answer now',
  VAULT_TIMEOUT: 'vault did not answer in time',
  VAULT_ABORTED: 'the call was given up',
};

function codeOf(status: number, says: string): VaultErrorCode {
  if (status === 403) return 'VAULT_DENIED';
  if (status === 404) return 'VAULT_NOT_FOUND';
  if (status === 429) return 'VAULT_RATE_LIMITED';
  if (status === 503 && /sealed|not initialized/i.test(says)) return 'VAULT_SEALED';
  if (status >= 500 || status < 400) return 'VAULT_UNAVAILABLE';
  // A KV engine that is just becoming version 2 answers 400.
  if (/Upgrading from non-versioned/.test(says)) return 'VAULT_UNAVAILABLE';
  if (/check-and-set parameter did not match/.test(says)) return 'VAULT_CAS_CONFLICT';
  if (/wrapping token is not valid or does not exist/.test(says)) return 'VAULT_WRAPPING_GONE';
  return 'VAULT_BAD_REQUEST';
}

function wordsOf(body: unknown): string {
  const errors =
    typeof body === 'object' && body !== null ? (body as { errors?: unknown }).errors : undefined;
  return Array.isArray(errors) ? errors.filter((e) => typeof e === 'string').join('; ') : '';
}
