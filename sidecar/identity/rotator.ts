import type { Log } from '../../lib/adapter/log.ts';
import { SignetError } from '../../lib/errors.ts';
import {
  type IdentityState,
  identityState,
  nextAttempt,
  renewAt,
  retryDelay,
} from '../../lib/rotation/index.ts';
import type { Acquire } from './acquire.ts';
import { AcquireError } from './acquire-error.ts';
import type { CredentialHolder, Svid } from './credentials.ts';
import { deadlineAt, sleepUntil } from './deadline.ts';
import type { MachineClock } from './server-clock.ts';

export type RotatorDeps = {
  readonly acquire: Acquire;
  readonly credentials: CredentialHolder;
  readonly clock: MachineClock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Called with each SVID after it has been published; 0 is the first. */
  readonly onSvid: (svid: Svid, rotation: number) => void;
  readonly onFailure: (failure: Failure) => void;
};

export type Failure = {
  readonly code: string;
  readonly reason?: string;
  readonly correlationId?: string;
  readonly at: Date;
};

export type RotationOutcome =
  | { readonly ok: true; readonly serial: string }
  | { readonly ok: false; readonly failure: Failure };

export type RotatorStatus = {
  readonly state: IdentityState;
  /** SVIDs that replaced another. */
  readonly rotations: number;
  readonly failedAttempts: number;
  /** Null while an attempt is under way. */
  readonly nextAttemptAt: Date | null;
  readonly lastFailure: Failure | null;
};

/** Keeps the credentials fresh: a new SVID at half-life, the old one until it expires when that fails, none after that. */
export interface Rotator {
  /** Runs until the signal fires; never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** Makes an attempt now, or joins the one under way, and says what came of it. */
  rotate(): Promise<RotationOutcome>;
  readonly status: RotatorStatus;
}

/** A refusal is asked about again in case somebody changes his mind, but never in a hurry. */
const LEAST_REFUSED_MS = 2_000;
const REFUSED_HEAD_START = 2;

export function createRotator(deps: RotatorDeps): Rotator {
  const { credentials, clock, random, log } = deps;
  let [rotations, failedAttempts] = [-1, 0];
  let nextAttemptAt: Date | null = null;
  let lastFailure: Failure | null = null;
  let pause = new AbortController();
  const askers: ((outcome: RotationOutcome) => void)[] = [];
  let expiry = new AbortController();

  const attempt = async (signal: AbortSignal): Promise<Date> => {
    let outcome: RotationOutcome;
    let next: Date;
    try {
      const svid = await deps.acquire(credentials.current, signal);
      failedAttempts = 0;
      rotations++;
      credentials.publish(svid);
      expiry.abort();
      expiry = new AbortController();
      void expire(svid, AbortSignal.any([signal, expiry.signal]));
      deps.onSvid(svid, rotations);
      next = renewAt(svid, random() * 2 - 1);
      outcome = { ok: true, serial: svid.serial };
    } catch (error) {
      failedAttempts++;
      const failure = failureOf(error, clock.now());
      next = retryAt(error);
      if (!signal.aborted) tell(failure, error, next);
      outcome = { ok: false, failure };
    }
    answerAll(outcome);
    return next;
  };

  const answerAll = (outcome: RotationOutcome) => {
    for (const answer of askers.splice(0)) answer(outcome);
  };

  const tell = (failure: Failure, error: unknown, next: Date) => {
    lastFailure = failure;
    deps.onFailure(failure);
    const { code, reason, correlationId } = failure;
    log.warn('renewal_failed', {
      code,
      reason,
      correlation_id: correlationId,
      message: error instanceof Error ? error.message : undefined,
      cause: error instanceof Error ? error.cause : undefined,
      attempt: failedAttempts,
      next_attempt_ms: next.getTime() - failure.at.getTime(),
      svid_not_after: credentials.current?.notAfter,
    });
  };

  const retryAt = (error: unknown): Date => {
    const now = clock.now();
    const asked = error instanceof AcquireError ? (error.detail.retryAfterMs ?? 0) : 0;
    if (error instanceof AcquireError && error.refused) {
      const delay = retryDelay(failedAttempts + REFUSED_HEAD_START, random());
      return new Date(now.getTime() + Math.max(LEAST_REFUSED_MS, asked, delay));
    }
    const notAfter = credentials.current?.notAfter ?? null;
    const next = nextAttempt({ now, notAfter, attempt: failedAttempts, random: random() });
    return new Date(Math.max(next.getTime(), now.getTime() + asked));
  };

  const expire = async (svid: Svid, signal: AbortSignal): Promise<void> => {
    await sleepUntil(deadlineAt(svid.notAfter, clock), clock, signal);
    if (signal.aborted) return;
    credentials.withdraw();
    log.error('svid_expired', { spiffe_id: svid.id, serial: svid.serial, not_after: svid.notAfter });
  };

  return {
    async run(signal) {
      while (!signal.aborted) {
        nextAttemptAt = null;
        // Before the attempt, so that a call of `rotate` while it runs joins it and no call is lost.
        pause = new AbortController();
        const next = await attempt(signal);
        nextAttemptAt = next;
        if (askers.length === 0)
          await sleepUntil(deadlineAt(next, clock), clock, AbortSignal.any([signal, pause.signal]));
      }
      answerAll({ ok: false, failure: { code: 'STOPPING', at: clock.now() } });
    },
    rotate() {
      const { promise, resolve } = Promise.withResolvers<RotationOutcome>();
      askers.push(resolve);
      if (nextAttemptAt !== null) pause.abort();
      return promise;
    },
    get status() {
      const notAfter = credentials.current?.notAfter ?? null;
      return {
        state: identityState({ now: clock.now(), notAfter, failedAttempts }),
        rotations: Math.max(0, rotations),
        failedAttempts,
        nextAttemptAt,
        lastFailure,
      };
    },
  };
}

function failureOf(error: unknown, at: Date): Failure {
  const code = error instanceof SignetError ? error.code : 'INTERNAL';
  const detail = error instanceof AcquireError ? error.detail : {};
  const { reason, correlationId } = detail;
  return {
    code,
    at,
    ...(reason === undefined ? {} : { reason }),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
}
