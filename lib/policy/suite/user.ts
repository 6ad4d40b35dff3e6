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

/** An end user as somebody writes one down. What is left out is read from the claims, by the names that these have as a rule. */
export const user: Reader<User> = (value, place) => {
  return userOf(givenUser(value, place));
};

/** The same, where there is nothing but the claims. */
export const claims: Reader<User> = (value, place) => userOf({ claims: anyObject(value, place) });

function userOf(given: GivenUser): User {
  const claims = given.claims ?? {};
  return {
    issuer: given.issuer ?? textOf(claims['iss']) ?? '',
    subject: given.subject ?? textOf(claims['sub']) ?? '',
    scopes: new Set(given.scopes ?? listOf(claims['scope'])),
    roles: new Set(given.roles ?? listOf(claims['roles'])),
    consents: new Set(given.consents ?? listOf(claims['consents'])),
    acr: given.acr === undefined ? textOf(claims['acr']) : given.acr,
    authTime: given.auth_time === undefined ? numberOf(claims['auth_time']) : given.auth_time,
    issuedAt: given.issued_at === undefined ? numberOf(claims['iat']) : given.issued_at,
    claims,
  };
}

function textOf(claim: unknown): string | null {
  return typeof claim === 'string' ? claim : null;
}

function numberOf(claim: unknown): number | null {
  return typeof claim === 'number' ? claim : null;
}

/** An array of texts, or one text with spaces between them. */
function listOf(claim: unknown): string[] {
  if (Array.isArray(claim)) return claim.filter((each) => typeof each === 'string');
  return typeof claim === 'string' ? claim.split(' ').filter((each) => each !== '') : [];
}
