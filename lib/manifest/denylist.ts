import { isReserved, parseSpiffeId } from '../spiffe/index.ts';
import { DeliveryError } from './error.ts';
import { arrayOf, instantOf, isText, objectOf, versionOf } from './fields.ts';
import { trustDomainOf } from './manifest.ts';

/** What an operator signs: the SPIFFE IDs and the serials of certificates that nobody may let in any more. */
export type SignedDenylist = {
  readonly version: number;
  readonly trustDomain: string;
  readonly publishedAt: Date;
  readonly author: string;
  readonly ids: readonly string[];
  /** As `serialForm` has them. */
  readonly serials: readonly string[];
};

export const MOST_DENIED = 10_000;
const MOST_CHARS = 4 * 1024 * 1024;
const FIELDS = ['version', 'trust_domain', 'published_at', 'author', 'ids', 'serials'];
const SERIAL = /^[0-9a-f]{2}(:[0-9a-f]{2}){0,19}$/;

/** One spelling of a serial: `3a:0f`, lower case, as Vault prints it, whether it was pasted with colons, dashes or neither. */
export function serialForm(serial: string): string {
  const digits = serial.toLowerCase().replace(/[^0-9a-f]/g, '');
  return digits.match(/../g)?.join(':') ?? digits;
}

/** The one text of a deny-list, as of a manifest. */
export function denylistText(list: SignedDenylist): string {
  const { version, trustDomain, publishedAt, author, ids, serials } = list;
  return JSON.stringify({
    version,
    trust_domain: trustDomain,
    published_at: publishedAt.toISOString(),
    author,
    ids,
    serials,
  });
}

/** @throws DeliveryError `denylist_malformed` */
export function parseSignedDenylist(text: string): SignedDenylist {
  if (text.length > MOST_CHARS) throw malformed(`of over ${MOST_CHARS} characters`);
  const raw = objectOf(text, FIELDS, malformed);
  const list: SignedDenylist = {
    version: versionOf(raw['version'], 1, malformed),
    trustDomain: trustDomainOf(raw['trust_domain'], malformed),
    publishedAt: instantOf(raw['published_at'], malformed),
    author: isText(raw['author'], 256) ? raw['author'] : fail('without an author'),
    ids: arrayOf(raw['ids'], MOST_DENIED, malformed).map((id) =>
      isId(id) ? id : fail('with a bad SPIFFE ID'),
    ),
    serials: arrayOf(raw['serials'], MOST_DENIED, malformed).map((serial) =>
      typeof serial === 'string' && SERIAL.test(serial) ? serial : fail('with a bad serial'),
    ),
  };
  if (denylistText(list) !== text) throw malformed('that is not in its one form');
  return list;
}

function isId(value: unknown): value is string {
  try {
    return typeof value === 'string' && !isReserved(parseSpiffeId(value));
  } catch {
    return false;
  }
}

function fail(why: string): never {
  throw malformed(why);
}

function malformed(why: string): DeliveryError {
  return new DeliveryError('denylist_malformed', `a deny-list ${why}`);
}
