import type { KeyRing } from '../../lib/adapter/key-ring.ts';
import {
  claimsFault,
  claimsOf,
  Fault,
  type JsonObject,
  readToken,
  type SignedToken,
  verifySignature,
} from '../../lib/token/index.ts';
import {
  type Access,
  accessesOf,
  DELEGATED_ALGORITHMS,
  type Delegation,
  SKEW_SECONDS,
  wantedClaims,
} from '../../lib/vault-layout/delegations/index.ts';
import type { ProblemCode } from '../problem.ts';

/** A token taken apart. Nothing of it is verified. */
export type ReadRunToken = { readonly token: SignedToken; readonly claims: JsonObject };

/** What a token proves: its number, its end in seconds, and what it may do. */
export type RunToken = { readonly id: string; readonly exp: number; readonly access: Access };

/** Why it proves nothing. `reason` is for our own log, and quotes nothing of the token. */
export class RunFault {
  readonly code: ProblemCode;
  readonly reason: string;
  constructor(code: ProblemCode, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

const ALGORITHMS: ReadonlySet<string> = new Set(DELEGATED_ALGORITHMS);
/** A run may last a day. Longer, and what is remembered of tokens would have to be kept for longer. */
const LONGEST_LIFE_SECONDS = 26 * 3_600;
const ID = /^[!-~]{1,256}$/;

export function readRunToken(text: string): ReadRunToken | RunFault {
  const token = readToken(text);
  if (token instanceof Fault) return new RunFault('run_token_invalid', token.reason);
  if (token.kind !== 'signed') return new RunFault('run_token_invalid', 'not a signed JWT');
  const claims = claimsOf(token);
  return claims instanceof Fault ? new RunFault('run_token_invalid', claims.reason) : { token, claims };
}

/** Judges a token by a delegation: signature, issuer, audience, times, number, and every claim that is asked for. `now` is in ms. */
export async function judgeRunToken(
  { token, claims }: ReadRunToken,
  delegation: Delegation,
  ring: KeyRing,
  now: () => number,
): Promise<RunToken | RunFault> {
  const { url: issuer } = delegation.issuer;
  if (claims['iss'] !== issuer) return new RunFault('run_token_issuer', 'of another issuer');
  const unsigned = await signatureFault(token, ring, now);
  if (unsigned !== null) return unsigned;
  const rules = {
    issuer,
    audience: [delegation.audience],
    parties: null,
    types: ['jwt'],
    skewSeconds: SKEW_SECONDS,
  };
  const fault = claimsFault(token.header.typ, claims, rules, now() / 1_000);
  if (fault !== null) return new RunFault(FROM_TOKEN[fault.code] ?? 'run_token_invalid', fault.reason);
  const { aud, exp, jti } = claims;
  if (Array.isArray(aud) && aud.length !== 1) return new RunFault('run_token_audience', 'for others as well');
  if (typeof exp !== 'number' || exp - now() / 1_000 > LONGEST_LIFE_SECONDS)
    return new RunFault('run_token_invalid', 'good for longer than a run may last');
  if (typeof jti !== 'string' || !ID.test(jti)) return new RunFault('run_token_invalid', 'without a number');
  let differs = '';
  for (const access of accessesOf(delegation)) {
    const wanted = Object.entries(wantedClaims(delegation, access));
    const other = wanted.find(([name, value]) => !Object.hasOwn(claims, name) || claims[name] !== value);
    if (other === undefined) return { id: jti, exp, access };
    differs ||= other[0];
  }
  return new RunFault('run_not_delegated', `${differs} is another`);
}

const FROM_TOKEN: Readonly<Partial<Record<Fault['code'], ProblemCode>>> = {
  token_expired: 'run_token_expired',
  token_audience: 'run_token_audience',
};

async function signatureFault(
  token: SignedToken,
  ring: KeyRing,
  now: () => number,
): Promise<RunFault | null> {
  if (ring.epochAt(now()) === 0) await ring.need();
  const epoch = ring.epochAt(now());
  if (epoch === 0) return new RunFault('issuer_unavailable', 'its issuer was not reached');
  let fault = await verifySignature(token, ring.current, ALGORITHMS);
  if (fault?.code === 'key_unknown') {
    await ring.seek();
    const later = ring.epochAt(now());
    if (later !== epoch && later !== 0) fault = await verifySignature(token, ring.current, ALGORITHMS);
  }
  return fault === null ? null : new RunFault('run_token_invalid', fault.reason);
}
