import { readJson } from '../../lib/json-text.ts';
import {
  type ClaimPlaces,
  type ClaimRules,
  CONTENT_ENCRYPTIONS,
  KEY_ENCRYPTIONS,
  PUBLIC_SIGNATURES,
  SECRET_SIGNATURES,
  USUAL_CONTENT_ENCRYPTIONS,
  USUAL_KEY_ENCRYPTIONS,
  USUAL_PLACES,
  USUAL_SIGNATURES,
} from '../../lib/token/index.ts';
import { isLoopback } from '../address.ts';
import { allOrNothing, type Place } from './defects.ts';
import { parseRoutes, type RouteRule } from './routes.ts';

/** What the file of `SIGNET_USERS` says: whose tokens are believed, and where one is needed. */
export type UsersDocument = {
  readonly issuers: readonly IssuerSettings[];
  readonly routes: readonly RouteRule[];
};

/** Files are named relative to the document. */
export type IssuerSettings = {
  readonly name: string;
  readonly rules: ClaimRules;
  readonly places: ClaimPlaces;
  readonly source: KeySettings | AskSettings;
  /** With what its sealed tokens are opened; null: it sends none. */
  readonly opening: OpeningSettings | null;
};

/** Tokens that are verified here, by the issuer's keys. */
export type KeySettings = {
  readonly kind: 'keys';
  readonly from: URL | { readonly file: string };
  readonly caFile: string | null;
  /** The keys are symmetric: whoever verifies could also sign. */
  readonly secret: boolean;
  readonly algorithms: ReadonlySet<string>;
  readonly refreshSeconds: number;
  /** How long keys are used after the issuer last confirmed them. */
  readonly keepSeconds: number;
};

/** Tokens that the issuer is asked about (RFC 7662). */
export type AskSettings = {
  readonly kind: 'introspection';
  readonly url: URL;
  readonly caFile: string | null;
  readonly clientId: string;
  readonly secretFile: string;
  /** How its opaque tokens begin; empty: all those that begin as no other issuer's. */
  readonly prefix: string;
  readonly cacheSeconds: number;
};

export type OpeningSettings = {
  readonly keyFile: string;
  readonly algorithms: ReadonlySet<string>;
  readonly encryptions: ReadonlySet<string>;
};

const MOST_ISSUERS = 64;
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const VISIBLE = /^[\x21-\x7e]{1,2048}$/;
const PATH = /^[^\0]{1,4096}$/;
const POINTER = /^(?:\/(?:[^~/]|~[01])*)+$/;
const TYPE = /^[a-z0-9][a-z0-9.+-]{0,126}$/;
const SECRET = /^[\x20-\x7e]{1,256}$/;
const SOURCES = ['jwks', 'symmetric_keys', 'introspection'];
const ISSUER = [
  ...['name', 'issuer', 'audience', ...SOURCES, 'algorithms', 'types', 'authorized_parties', 'claims'],
  ...['clock_skew_seconds', 'refresh_seconds', 'keep_seconds', 'decryption'],
];
const DAY = 86_400;

/** @throws InputError with every defect */
export function parseUsers(text: string): UsersDocument {
  return allOrNothing('users', (place) => {
    const json = readJson(text);
    if (!json.ok) {
      place.flaw(`is not JSON ${json.where}`);
      return { issuers: [], routes: [] };
    }
    for (const pointer of json.repeated) place.below(pointer).flaw('is there twice');
    const document = place.object(json.value, ['$schema', 'issuers', 'routes'], ['issuers']);
    return {
      issuers: parseIssuers(document['issuers'], place.at('issuers')),
      routes: parseRoutes(document['routes'], place.at('routes')),
    };
  });
}

function parseIssuers(value: unknown, place: Place): IssuerSettings[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_ISSUERS) {
    place.flaw(`is not a list of 1 to ${MOST_ISSUERS} issuers`);
    return [];
  }
  const issuers = value.map((each, i) => parseIssuer(each, place.at(i)));
  const prefixes = issuers.map(({ source }) => (source.kind === 'introspection' ? source.prefix : null));
  issuers.forEach(({ name, rules }, i) => {
    const before = issuers.slice(0, i);
    if (before.some((other) => other.name === name)) place.at(i).at('name').flaw('is the name of another');
    if (before.some((other) => other.rules.issuer === rules.issuer))
      place.at(i).at('issuer').flaw('is that of another');
    const prefix = prefixes[i];
    if (typeof prefix === 'string' && prefixes.slice(0, i).some((other) => overlap(other, prefix)))
      place
        .at(i)
        .at('introspection')
        .at('token_prefix')
        .flaw('does not tell its tokens from those of another');
  });
  return issuers;
}

/** Whether a token could belong to both. One without a prefix takes what is left. */
function overlap(a: string | null | undefined, b: string): boolean {
  if (a === null || a === undefined) return false;
  if (a === '' || b === '') return a === b;
  return a.startsWith(b) || b.startsWith(a);
}

function parseIssuer(value: unknown, place: Place): IssuerSettings {
  const raw = place.object(value, ISSUER, ['name', 'issuer', 'audience']);
  const named = SOURCES.filter((source) => Object.hasOwn(raw, source));
  if (named.length !== 1) place.flaw(`has not exactly one of ${SOURCES.join(', ')}`);
  const claims = place.at('claims').object(raw['claims'] ?? {}, ['scope', 'roles', 'consents']);
  const pointersTo = (name: keyof ClaimPlaces) =>
    Object.hasOwn(claims, name)
      ? place.at('claims').at(name).texts(claims[name], POINTER, 'a JSON pointer such as /realm_access/roles')
      : USUAL_PLACES[name];
  const texts = (name: string, good: RegExp, what: string) => place.at(name).texts(raw[name], good, what);
  return {
    name: place.at('name').text(raw['name'], NAME, 'a name of 1 to 64 of a-z 0-9 . _ -') ?? '',
    rules: {
      issuer:
        place.at('issuer').text(raw['issuer'], VISIBLE, 'an issuer such as https://login.example.org') ?? '',
      audience: texts('audience', VISIBLE, 'an audience'),
      parties:
        raw['authorized_parties'] === undefined ? null : texts('authorized_parties', VISIBLE, 'a client'),
      types: raw['types'] === undefined ? ['at+jwt', 'jwt'] : texts('types', TYPE, 'a type such as at+jwt'),
      skewSeconds: place.at('clock_skew_seconds').number(raw['clock_skew_seconds'], 0, 300, 30),
    },
    places: { scope: pointersTo('scope'), roles: pointersTo('roles'), consents: pointersTo('consents') },
    source: named[0] === 'introspection' ? parseAsk(raw, place) : parseKeys(raw, named[0], place),
    opening: raw['decryption'] === undefined ? null : parseOpening(raw['decryption'], place.at('decryption')),
  };
}

function parseKeys(
  raw: Readonly<Record<string, unknown>>,
  named: string | undefined,
  place: Place,
): KeySettings {
  const secret = named === 'symmetric_keys';
  const at = place.at(named ?? 'jwks');
  const places = secret ? ['file'] : ['url', 'file', 'ca_file'];
  const from = named === undefined ? {} : at.object(raw[named], places);
  const [url, file] = [
    from['url'] === undefined || secret ? undefined : parseUrl(from['url'], at.at('url')),
    at.at('file').text(from['file'], PATH, 'the name of a file'),
  ];
  const given = (secret ? ['file'] : ['url', 'file']).filter((place) => from[place] !== undefined);
  if (named !== undefined && given.length !== 1)
    at.flaw(secret ? 'has no file' : 'has not exactly one of url, file');
  if (secret && raw['algorithms'] === undefined) place.at('algorithms').flaw('is missing');
  return {
    kind: 'keys',
    from: url ?? { file: file ?? '' },
    caFile: at.at('ca_file').text(from['ca_file'], PATH, 'the name of a file') ?? null,
    secret,
    algorithms: place
      .at('algorithms')
      .words(raw['algorithms'], secret ? SECRET_SIGNATURES : PUBLIC_SIGNATURES, USUAL_SIGNATURES),
    refreshSeconds: place.at('refresh_seconds').number(raw['refresh_seconds'], 10, DAY, 300),
    keepSeconds: place.at('keep_seconds').number(raw['keep_seconds'], 60, 30 * DAY, DAY),
  };
}

function parseAsk(raw: Readonly<Record<string, unknown>>, place: Place): AskSettings {
  for (const name of ['algorithms', 'types', 'refresh_seconds', 'keep_seconds', 'decryption'])
    if (raw[name] !== undefined) place.at(name).flaw('is said of an issuer that is asked about each token');
  const at = place.at('introspection');
  const asked = at.object(
    raw['introspection'],
    ['url', 'ca_file', 'client_id', 'client_secret_file', 'token_prefix', 'cache_seconds'],
    ['url', 'client_id', 'client_secret_file'],
  );
  return {
    kind: 'introspection',
    url: (asked['url'] === undefined ? undefined : parseUrl(asked['url'], at.at('url'))) ?? NOWHERE,
    caFile: at.at('ca_file').text(asked['ca_file'], PATH, 'the name of a file') ?? null,
    clientId: at.at('client_id').text(asked['client_id'], SECRET, 'the name of a client') ?? '',
    secretFile:
      at.at('client_secret_file').text(asked['client_secret_file'], PATH, 'the name of a file') ?? '',
    prefix: at.at('token_prefix').text(asked['token_prefix'], VISIBLE, 'how tokens begin') ?? '',
    cacheSeconds: at.at('cache_seconds').number(asked['cache_seconds'], 1, 300, 30),
  };
}

const NOWHERE = new URL('https://invalid');

function parseOpening(value: unknown, place: Place): OpeningSettings {
  const raw = place.object(value, ['key_file', 'algorithms', 'encryptions'], ['key_file']);
  return {
    keyFile: place.at('key_file').text(raw['key_file'], PATH, 'the name of a file') ?? '',
    algorithms: place
      .at('algorithms')
      .words(raw['algorithms'], Object.keys(KEY_ENCRYPTIONS), USUAL_KEY_ENCRYPTIONS),
    encryptions: place
      .at('encryptions')
      .words(raw['encryptions'], CONTENT_ENCRYPTIONS, USUAL_CONTENT_ENCRYPTIONS),
  };
}

/** Plain HTTP only where no network carries it. */
function parseUrl(value: unknown, place: Place): URL | undefined {
  const url =
    typeof value === 'string' && value.length <= 2_048 && URL.canParse(value) ? new URL(value) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    return place.flaw('is not an address such as https://login.example.org/jwks');
  if (url.username !== '' || url.password !== '') return place.flaw('holds a user name or password');
  if (url.hash !== '') return place.flaw('holds a fragment');
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    return place.flaw('is not https, and not on this machine');
  return url;
}
