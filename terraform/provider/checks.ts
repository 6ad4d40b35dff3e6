import { parseTenant } from '../../lib/attestation/index.ts';
import { type Attribute, isValues, UNKNOWN, type Value } from './plugin/index.ts';

type Check = NonNullable<Attribute['validate']>;

/** What is wrong with a text that does not have this form. */
export function formed(form: RegExp, message: string): Check {
  return (value) => (form.test(String(value)) ? undefined : message);
}

export const isTenant: Check = (value) =>
  parseTenant(String(value)) === undefined
    ? 'A tenant is one to four names of a-z, 0-9 and -, joined by /, such as acme/shop.'
    : undefined;

export const isName = formed(
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
  'A name is 1 to 63 of a-z, 0-9 and -, and does not begin or end with -.',
);

export const isLifetime = formed(
  /^[1-9][0-9]{0,5}[smh]$/,
  'A lifetime is a number with s, m or h, such as 15m.',
);

export const isSpiffeId = formed(
  /^spiffe:\/\/[a-z0-9._-]+\/[^\s?#]+$/,
  'A SPIFFE ID is spiffe://, the trust domain and a path, such as spiffe://example.org/ns/shop/sa/orders.',
);

export const isInstant = formed(
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  'A time is in UTC and whole seconds, such as 2030-01-31T12:00:00Z.',
);

/** The string that an attribute holds; undefined where nothing is set or it is not known yet. */
export function textOf(value: Value | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function textsOf(value: Value | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** The strings of a map; undefined where something in it is not known yet. */
export function wordsOf(value: Value | undefined): Record<string, string> | undefined {
  if (value === undefined || value === UNKNOWN || !isValues(value)) return undefined;
  const entries = Object.entries(value);
  return entries.every(([, each]) => typeof each === 'string')
    ? (Object.fromEntries(entries) as Record<string, string>)
    : undefined;
}
