import { type Facts, NO_RISK, parseCaller, type User } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';

export const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const NOON = '2026-07-01T12:00:00Z';

/** Facts as vectors write them: scopes as arrays, seconds of a user relative to now, a risk by its score. */
export type PlainFacts = {
  readonly now?: string;
  readonly user?: Readonly<Record<string, unknown>>;
  readonly facts?: Readonly<Record<string, unknown>>;
};

function factsFrom({ now = NOON, user, facts = {} }: PlainFacts): Facts {
  const { chain = [], risk = 0, headers = {}, ...rest } = facts as Record<string, never>;
  return {
    now: new Date(now),
    host: 'orders',
    query: '',
    protocol: 'http/1.1',
    size: 0,
    source: '192.0.2.1',
    edge: false,
    user: user === undefined ? null : userFrom(user, new Date(now)),
    chain: (chain as string[]).map(parseSpiffeId),
    risk:
      risk === 0 ? NO_RISK : { score: risk, reasons: [{ input: 'test', points: risk, detail: 'said so' }] },
    header: (name) => (headers as Record<string, string>)[name] ?? null,
    ...rest,
  };
}

export function requestFrom(
  plain: PlainFacts & { readonly caller?: string; readonly method?: string; readonly path?: string },
) {
  const { caller = WEB, method = 'GET', path = '/' } = plain;
  return { caller: parseCaller(caller), method, path, facts: factsFrom(plain) };
}

function userFrom(user: Readonly<Record<string, unknown>>, now: Date): User {
  const {
    scopes = [],
    roles = [],
    consents = [],
    authTime,
    issuedAt,
    ...rest
  } = user as Record<string, never>;
  const at = (offset: number | undefined) => (offset === undefined ? null : now.getTime() / 1000 + offset);
  return {
    issuer: 'https://login.example.org',
    subject: 'somebody',
    acr: null,
    claims: {},
    scopes: new Set(scopes as string[]),
    roles: new Set(roles as string[]),
    consents: new Set(consents as string[]),
    authTime: at(authTime),
    issuedAt: at(issuedAt),
    ...rest,
  };
}
