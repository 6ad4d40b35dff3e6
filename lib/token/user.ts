import { type Fault, invalid } from './fault.ts';
import { type JsonObject, valueAt } from './json.ts';

/** The end user of a request, read from a token that was verified. Made once per token and shared by all its requests. */
export type User = {
  /** `iss` of the token, or the name of the issuer that was asked about it. */
  readonly issuer: string;
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
  readonly consents: ReadonlySet<string>;
  /** How the user was authenticated (`acr`); null when the token does not say. */
  readonly acr: string | null;
  /** When that was, and when the token was issued; seconds since the epoch. */
  readonly authTime: number | null;
  readonly issuedAt: number | null;
  /** All that the token says. */
  readonly claims: Readonly<Record<string, unknown>>;
};

/** Where an issuer puts what policy asks of: JSON pointers, of which the first that is there counts. */
export type ClaimPlaces = {
  readonly scope: readonly string[];
  readonly roles: readonly string[];
  readonly consents: readonly string[];
};

export const USUAL_PLACES: ClaimPlaces = {
  scope: ['/scope', '/scp'],
  roles: ['/roles'],
  consents: ['/consents'],
};

const MOST_WORDS = 1_000;
const LONGEST_SUBJECT = 2_048;
const NOTHING: ReadonlySet<string> = new Set();

/** What cannot be read is a fault and no absence: a deny that asks for a role must not miss it. */
export function userOf(claims: JsonObject, issuer: string, places: ClaimPlaces): User | Fault {
  const { sub: subject, acr = null, auth_time: authTime = null, iat: issuedAt = null } = claims;
  if (typeof subject !== 'string' || subject === '' || subject.length > LONGEST_SUBJECT)
    return invalid('sub is not a name');
  if (acr !== null && typeof acr !== 'string') return invalid('acr is not a text');
  if (!isTimeOrNull(authTime)) return invalid('auth_time is not a time');
  if (!isTimeOrNull(issuedAt)) return invalid('iat is not a time');
  // a scope holds no space (RFC 6749 §3.3); the name of a role or a consent may
  const scopes = wordsAt(claims, places.scope, (text) => text.split(' ').filter((word) => word !== ''));
  const roles = wordsAt(claims, places.roles, (text) => [text]);
  const consents = wordsAt(claims, places.consents, (text) => [text]);
  if (scopes === null || roles === null || consents === null)
    return invalid('scope, roles or consents are no list of words');
  return Object.freeze({ issuer, subject, scopes, roles, consents, acr, authTime, issuedAt, claims });
}

/** Null: something is there, and it cannot be read. */
function wordsAt(
  claims: JsonObject,
  pointers: readonly string[],
  split: (text: string) => string[],
): ReadonlySet<string> | null {
  const value = pointers.map((pointer) => valueAt(claims, pointer)).find((found) => found !== undefined);
  if (value === undefined || value === null) return NOTHING;
  const words = typeof value === 'string' ? split(value) : value;
  if (!Array.isArray(words) || words.length > MOST_WORDS) return null;
  return words.every((word) => typeof word === 'string') ? new Set(words) : null;
}

function isTimeOrNull(value: unknown): value is number | null {
  return value === null || (typeof value === 'number' && Number.isFinite(value) && value >= 0);
}
