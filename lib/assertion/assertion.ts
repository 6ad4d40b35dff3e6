import type { Caller, User } from '../policy/index.ts';
import type { SpiffeId } from '../spiffe/index.ts';
import type { Origin } from './origin.ts';

/** What a service's own sidecar states of one request that it let pass, to the app and to nobody else. */
export type Assertion = {
  readonly own: SpiffeId;
  readonly caller: Caller;
  readonly user: User | null;
  /** A JSON object; as in `UserFields`. */
  readonly claims: string | null;
  readonly decision: string;
  readonly method: string;
  /** As policy judged it, without the query. */
  readonly path: string;
  /** What led to the request, where that is known. */
  readonly origin: Origin | null;
  readonly now: Date;
};

/** No access token and no SVID: a verifier that looks at the type takes it for neither. */
export const ASSERTION_TYPE = 'signet-assertion+jwt';
/** From its making to its end. */
export const ASSERTION_SECONDS = 30;

export function assertionClaims(assertion: Assertion): object {
  const { own, caller, user, claims, decision, method, path, origin, now } = assertion;
  const iat = Math.floor(now.getTime() / 1_000);
  return {
    iss: own,
    sub: caller,
    aud: own,
    iat,
    exp: iat + ASSERTION_SECONDS,
    decision,
    method,
    path,
    ...(user === null ? {} : { user: { iss: user.issuer, sub: user.subject } }),
    ...(claims === null ? {} : { claims: JSON.parse(claims) as object }),
    ...(origin === null || origin.id === null ? {} : { txn: origin.id, chain: origin.path }),
  };
}
