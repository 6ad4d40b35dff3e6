import type { Hardening } from './harden.ts';
import type { Identity } from './identity/index.ts';
import type { Serving } from './serving.ts';

export type StatusParts = {
  readonly serving: Serving['status'] | null;
  readonly hardening: Hardening;
  readonly missing: readonly string[];
};

/** What `GET /status` answers: everything an operator asks first, and nothing secret. */
export function statusOf({ credentials, rotator, serverClock }: Identity, parts: StatusParts): object {
  const { current } = credentials;
  const { state, rotations, failedAttempts, nextAttemptAt, lastFailure } = rotator.status;
  const policy = parts.serving?.policy ?? null;
  return {
    ready: parts.missing.length === 0,
    missing: parts.missing,
    identity: {
      state,
      spiffe_id: current?.id ?? null,
      serial: current?.serial ?? null,
      issued_at: current?.issuedAt ?? null,
      not_after: current?.notAfter ?? null,
      next_attempt_at: nextAttemptAt,
      rotations,
      failed_attempts: failedAttempts,
      last_failure:
        lastFailure === null
          ? null
          : {
              code: lastFailure.code,
              reason: lastFailure.reason ?? null,
              correlation_id: lastFailure.correlationId ?? null,
              at: lastFailure.at,
            },
    },
    clock_skew_seconds: serverClock.skewMs === null ? null : serverClock.skewMs / 1000,
    policy:
      policy === null
        ? null
        : {
            source: policy.source,
            version: policy.version,
            digest: policy.digest,
            documents: policy.documents,
            loaded_at: policy.loadedAt,
            stale: policy.stale,
            fault: policy.fault,
          },
    users: parts.serving?.users ?? null,
    services: parts.serving?.services ?? null,
    audit: parts.serving?.audit ?? null,
    hardening: parts.hardening,
  };
}
