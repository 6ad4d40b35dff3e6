import { Fault, USUAL_PLACES, userOf } from '../../token/index.ts';
import type { Place } from '../defect.ts';
import type { User } from '../facts.ts';
import { anyObject, list, object, orNull, type Reader, seconds, text } from './readers.ts';

type GivenUser = {
  readonly issuer?: string;
  readonly subject?: string;
  readonly scopes?: readonly string[];
  readonly roles?: readonly string[];
  readonly consents?: readonly string[];
  readonly acr?: string | null;
  readonly auth_time?: number | null;
  readonly issued_at?: number | null;
  readonly claims?: Readonly<Record<string, unknown>>;
};

const names = list(text, 1024);
const givenUser = object<GivenUser>(
  {
    issuer: text,
    subject: text,
    scopes: names,
    roles: names,
    consents: names,
    acr: orNull(text),
    auth_time: orNull(seconds),
    issued_at: orNull(seconds),
    claims: anyObject,
  },
  [],
);

/** An end user as somebody writes one down. What is left out is read from the claims, as a sidecar reads those of a token. */
export const user: Reader<User> = (value, place) => readUser(givenUser(value, place), place);

/** The same, where there is nothing but the claims. */
export const claims: Reader<User> = (value, place) => readUser({ claims: anyObject(value, place) }, place);

function readUser(given: GivenUser, place: Place): User {
  const { issuer, subject, scopes, roles, consents, acr, auth_time, issued_at, claims = {} } = given;
  const { iss, sub } = claims;
  const from = issuer ?? (typeof iss === 'string' ? iss : '');
  const read = userOf({ ...claims, sub: subject ?? sub }, from, USUAL_PLACES);
  if (read instanceof Fault) {
    place.refuseAs(`what no sidecar takes (${read.reason})`, 'a user with a subject');
    return NOBODY;
  }
  return {
    ...read,
    claims,
    ...(scopes === undefined ? {} : { scopes: new Set(scopes) }),
    ...(roles === undefined ? {} : { roles: new Set(roles) }),
    ...(consents === undefined ? {} : { consents: new Set(consents) }),
    ...(acr === undefined ? {} : { acr }),
    ...(auth_time === undefined ? {} : { authTime: auth_time }),
    ...(issued_at === undefined ? {} : { issuedAt: issued_at }),
  };
}

const NONE: ReadonlySet<string> = new Set();
const NOBODY: User = {
  ...{ issuer: '', subject: '', scopes: NONE, roles: NONE, consents: NONE },
  ...{ acr: null, authTime: null, issuedAt: null, claims: {} },
};
