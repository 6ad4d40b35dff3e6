import { SettingError } from './values.ts';

/** What the app is told of a request beside its caller. */
export type AppSettings = {
  /** Names of the user's claims that are told, in this order. */
  readonly claims: readonly string[];
  /** Whether it is also stated in a signed assertion. */
  readonly assertion: boolean;
  /** Whether what led to a request is passed on from service to service. */
  readonly transaction: boolean;
};

const MOST_CLAIMS = 32;
const CLAIM = /^[\x21-\x7e]{1,128}$/;

/**
 * Names of claims, separated by white space.
 * @throws SettingError
 */
export function parseClaims(text: string): string[] {
  const names = text.trim().split(/\s+/);
  if (names.length > MOST_CLAIMS) throw new SettingError(`names more than ${MOST_CLAIMS} claims`);
  if (!names.every((name) => CLAIM.test(name)))
    throw new SettingError('has a name that is not 1 to 128 of visible ASCII');
  if (new Set(names).size < names.length) throw new SettingError('names a claim twice');
  return names;
}
