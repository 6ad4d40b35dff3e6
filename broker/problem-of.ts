import { VaultError, type VaultErrorCode } from '../lib/adapter/vault.ts';
import { InputError, SignetError } from '../lib/errors.ts';
import { Problem, type ProblemCode } from './problem.ts';

/**
 * The refusal that an error stands for. Vault's answers are those to the caller's own token: where the broker's token is meant, the
 * code that used it has said so already.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InputError) return new Problem('malformed', { errors: error.defects, cause: error });
  if (error instanceof VaultError) {
    const code = FROM_VAULT[error.code];
    return new Problem(code, {
      cause: error,
      ...(code === 'vault_unavailable' ? { retryAfterSeconds: 1 } : {}),
    });
  }
  // A document that cannot be read, a key that is none: nothing that the caller could mend.
  if (error instanceof SignetError)
    return new Problem('vault_unavailable', { cause: error, retryAfterSeconds: 1 });
  return fromParser(error) ?? new Problem('internal', { cause: error });
}

const FROM_VAULT: Readonly<Record<VaultErrorCode, ProblemCode>> = {
  VAULT_DENIED: 'vault_denied',
  VAULT_NOT_FOUND: 'entry_not_found',
  VAULT_BAD_REQUEST: 'vault_refused',
  VAULT_CAS_CONFLICT: 'concurrent_write',
  VAULT_WRAPPING_GONE: 'vault_refused',
  VAULT_RATE_LIMITED: 'vault_unavailable',
  VAULT_SEALED: 'vault_unavailable',
  VAULT_UNAVAILABLE: 'vault_unavailable',
  VAULT_TIMEOUT: 'vault_unavailable',
  VAULT_ABORTED: 'vault_unavailable',
};

/** What Express and its parser throw: an HTTP status and, from the parser, a `type`. Their messages quote the body. */
function fromParser(error: unknown): Problem | undefined {
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown };
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined;
  if (status === 413) return new Problem('too_large');
  if (status === 415) return new Problem('unsupported_media_type');
  const message = type === 'entity.parse.failed' ? 'is not JSON' : 'cannot be read';
  return new Problem('malformed', { errors: [{ pointer: '', message }] });
}
