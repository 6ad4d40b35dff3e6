import type { Place } from './defect.ts';

/** What a caller could do to be let through: authenticate the user better (RFC 9470), or bring a token of more scope (RFC 6750). */
export type Challenge =
  | { readonly acr_values?: readonly string[]; readonly max_age?: number }
  | { readonly scope: string };

const EXPECTED = 'an object with "acr_values", "max_age" or both, or with "scope" alone';
const MAX_AGE = 366 * 86_400;
const MAX_ACRS = 16;
const MAX_TEXT = 256;
/** Stands between quotes in a header, and where blanks separate: RFC 6749 NQCHAR. */
const WORD = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

export function parseChallenge(value: unknown, place: Place): Challenge | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return place.refuse(value, EXPECTED);
  const keys = Object.keys(value);
  for (const key of keys) {
    if (!['acr_values', 'max_age', 'scope'].includes(key)) return place.at(key).refuse(key, EXPECTED);
  }
  const { acr_values, max_age, scope } = value as Record<string, unknown>;
  if (keys.length === 0 || (scope !== undefined && keys.length > 1)) return place.refuse(value, EXPECTED);
  if (keys.includes('scope')) return parseScope(scope, place.at('scope'));
  const acrs = keys.includes('acr_values') ? parseAcrs(acr_values, place.at('acr_values')) : [];
  const age = keys.includes('max_age') ? parseAge(max_age, place.at('max_age')) : 0;
  if (acrs === null || age === null) return null;
  return {
    ...(keys.includes('acr_values') ? { acr_values: acrs } : {}),
    ...(keys.includes('max_age') ? { max_age: age } : {}),
  };
}

function parseScope(value: unknown, place: Place): Challenge | null {
  const sound =
    typeof value === 'string' &&
    value.length <= MAX_TEXT &&
    value.split(' ').every((word) => WORD.test(word));
  return sound
    ? { scope: value }
    : place.refuse(value, 'scopes separated by one blank, such as "orders:read"');
}

function parseAcrs(value: unknown, place: Place): string[] | null {
  const sound =
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_ACRS &&
    value.every((acr) => typeof acr === 'string' && acr.length <= MAX_TEXT && WORD.test(acr));
  return sound ? value : place.refuse(value, `an array of 1 to ${MAX_ACRS} values of acr, without blanks`);
}

function parseAge(value: unknown, place: Place): number | null {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_AGE)
    return value as number;
  return place.refuse(value, `whole seconds, at most ${MAX_AGE}`);
}
