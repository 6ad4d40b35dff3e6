import type { BundleSource } from './bundle-source.ts';
import type { ChallengeKeys } from './challenge-keys.ts';
import type { Registrations } from './registrations.ts';
import type { Session } from './session.ts';

/** Whether grants can be given at this moment. */
export interface Health {
  /** What is missing, in words for an operator; empty when ready. */
  waitingFor(): string[];
}

/** Registrations not seen for this long are no longer taken for current. They are looked at every few seconds. */
const STALE_MS = 20_000;

export function createHealth(deps: {
  readonly session: Session;
  readonly registrations: Registrations;
  readonly bundles: BundleSource;
  readonly keys: ChallengeKeys;
  readonly hasCertificate: () => boolean;
  readonly draining: () => boolean;
  readonly now: () => Date;
}): Health {
  return {
    waitingFor() {
      const { session, registrations, bundles, keys } = deps;
      const seen = registrations.seenAt?.getTime();
      return [
        deps.draining() ? 'its end' : '',
        session.failure === undefined ? '' : `vault (${session.failure})`,
        seen === undefined || deps.now().getTime() - seen > STALE_MS ? 'registrations' : '',
        bundles.current === undefined ? 'the bundle' : '',
        keys.ready ? '' : 'challenge keys',
        deps.hasCertificate() ? '' : 'its certificate',
      ].filter(Boolean);
    },
  };
}
