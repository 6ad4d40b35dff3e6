import { Fault, invalid } from './fault.ts';
import type { JsonObject } from './json.ts';

/** What an issuer's tokens must say. */
export type ClaimRules = {
  readonly issuer: string;
  /** One of these must be among those that the token is for. */
  readonly audience: readonly string[];
  /** For whom it may have been issued; null: anybody. */
  readonly parties: readonly string[] | null;
  /** Media types in lower case, without `application/`. A token that does not say is a `jwt`. */
  readonly types: readonly string[];
  readonly skewSeconds: number;
};

/** What a token says of itself that it may not, in its header and in its claims; null when it may all. `now` is in seconds. */
export function claimsFault(
  typ: string | null,
  claims: JsonObject,
  rules: ClaimRules,
  now: number,
): Fault | null {
  if (!rules.types.includes(typeOf(typ))) return invalid('of another type than an access token');
  if (claims['iss'] !== rules.issuer) return invalid('of another issuer than its keys');
  // a security event, such as a logout token, is signed by the same keys (RFC 8417 §2.2)
  if (Object.hasOwn(claims, 'events')) return invalid('a security event');
  if (claims['exp'] === undefined) return invalid('exp is missing');
  return boundsFault(claims, rules, now);
}

/** The rules that hold also for what an issuer says of a token when it is asked. */
export function boundsFault(
  claims: JsonObject,
  { audience, parties, skewSeconds }: Pick<ClaimRules, 'audience' | 'parties' | 'skewSeconds'>,
  now: number,
): Fault | null {
  const { aud, exp, nbf, iat } = claims;
  if (![exp, nbf, iat].every((at) => at === undefined || isTime(at)))
    return invalid('exp, nbf or iat is not a time');
  // whoever presents it would have to prove that it holds a key (RFC 7800), which is not asked here
  if (Object.hasOwn(claims, 'cnf')) return invalid('bound to a key');
  const meant = typeof aud === 'string' ? [aud] : aud;
  if (!Array.isArray(meant) || !meant.every((each) => typeof each === 'string'))
    return new Fault('token_audience', 'aud is missing or cannot be read');
  if (!meant.some((each) => audience.includes(each))) return new Fault('token_audience', 'for others');
  // of an access token it is `client_id` that tells (RFC 9068 §2.2)
  const party = claims['azp'] ?? claims['client_id'];
  if (parties !== null && (typeof party !== 'string' || !parties.includes(party)))
    return new Fault('token_party', 'issued for a client that is not allowed');
  if (isTime(iat) && isTime(exp) && exp <= iat) return invalid('expires before it is issued');
  if (isTime(exp) && now >= exp + skewSeconds) return new Fault('token_expired', 'exp is past');
  if (isTime(nbf) && now < nbf - skewSeconds) return new Fault('token_early', 'nbf is to come');
  if (isTime(iat) && now < iat - skewSeconds) return new Fault('token_early', 'iat is to come');
  return null;
}

/** RFC 7515 §4.1.9 */
function typeOf(typ: string | null): string {
  const type = (typ ?? 'jwt').toLowerCase();
  return type.startsWith('application/') ? type.slice('application/'.length) : type;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < LAST_SECOND;
}

/** Of the year 9999. */
const LAST_SECOND = 253_402_300_800;
