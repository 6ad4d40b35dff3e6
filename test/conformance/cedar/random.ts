import type { Rule, Sets, Written } from './language.ts';

export const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const STOCK = 'spiffe://example.org/ns/shop/sa/stock';
const WIDE = [
  'spiffe://example.org/ns/shop/**',
  'spiffe://example.org/*/*/sa/orders',
  'spiffe://example.org/ns/stock/**',
];
const CALLERS = [
  'spiffe://example.org/ns/shop/sa/web',
  'spiffe://example.org/ns/shop/sa/admin',
  'spiffe://example.org/ns/stock/sa/web',
  'spiffe://example.org/ns/shop',
  'spiffe://example.com/ns/shop/sa/web',
  'spiffe://example.org/service-type/db/ver/2/ins/a1',
];
const PATTERNS = [
  'spiffe://example.org/ns/*/sa/web',
  'spiffe://example.org/ns/shop/**',
  'spiffe://example.org/ns/**',
  'spiffe://example.com/**',
  'spiffe://example.org/*/shop/*/web',
];
const DOMAINS = ['example.org', 'example.com', 'example.net'];
const METHODS = ['GET', 'PUT', 'POST', 'DELETE'];
const PATHS = ['/', '/a', '/a/', '/a/b', '/a/b/', '/a/b/c', '/b', '/b/b', '/c/a', '/ab', '/a/bc'];
const TEMPLATES = [
  ...PATHS,
  '/{x}',
  '/a/{x}',
  '/{x}/b',
  '/{x}/{y}/{z}',
  '/a/{x}/',
  '/{x}/',
  '/a/**',
  '/{x}/**',
  '/**',
];
const SUBJECTS = ['alice', 'bob', 'web', 'shop'];
const NAMES = ['read', 'write', 'admin', 'shop', 'web'];
const ACRS = ['pwd', 'mfa', 'hw'];
const TENANTS = ['shop', 'stock', 'sho', 'shopping'];
const HOSTS = ['orders', 'orders:8443', 'stock'];
const PROTOCOLS = ['http/1.1', 'h2', 'websocket'];
const SOURCES = ['10.0.0.1', '10.1.2.3', '192.0.2.7', '2001:db8::1', 'fd00::5'];
const NETWORKS = [
  '10.0.0.0/8',
  '10.0.0.0/16',
  '10.0.0.1/32',
  '192.0.2.0/24',
  '2001:db8::/32',
  'fd00::/8',
  '0.0.0.0/0',
];
const NUMBERS = [0, 1, 40, 99, 100];
export const NOW = '2026-03-02T10:00:00Z';
const TIMES = ['2026-03-02T09:59:59Z', NOW, '2026-03-02T10:00:01Z'];

export type Draw = {
  pick<T>(list: readonly T[]): T;
  some<T>(list: readonly T[]): T[];
  below(most: number): number;
  /** A value, or now and then nothing. */
  maybe<T>(value: () => T): T | null;
};

export function drawing(random: () => number): Draw {
  const below = (most: number) => Math.floor(random() * most);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const some = <T>(list: readonly T[]) => Array.from({ length: 1 + below(3) }, () => pick(list));
  return { below, pick, some, maybe: (value) => (random() < 0.3 ? null : value()) };
}

type Maker = (draw: Draw) => unknown;
const one =
  (list: readonly unknown[]): Maker =>
  ({ pick }) =>
    pick(list);
const many =
  (list: readonly unknown[]): Maker =>
  ({ some }) =>
    some(list);
const list = {
  has: one([...NAMES, '{caller.ns}', '{user.subject}']),
  has_all: many(NAMES),
  has_any: many(NAMES),
};
const bounds = { below: one(NUMBERS), above: one(NUMBERS) };
const yesNo = one([true, false]);

const LANGUAGE: Readonly<Record<string, Readonly<Record<string, Maker>>>> = {
  caller: {
    is: one(CALLERS),
    in: ({ pick, some }) => pick([some(CALLERS), '$friends']),
    like: one(PATTERNS),
  },
  'caller.trust_domain': { is: one(DOMAINS), in: many(DOMAINS) },
  'caller.ns': { is: one(['shop', 'stock', '{header.x-tenant}']), starts: one(['sh', 'st']) },
  'caller.sa': { is: one(['web', 'admin', '{user.subject}']), in: many(['web', 'admin']) },
  origin: { is: one(CALLERS), in: many(CALLERS), like: one(PATTERNS) },
  method: { is: one(METHODS), in: many(METHODS) },
  path: { is: one(PATHS), in: many(PATHS), starts: one(PATHS), like: one(TEMPLATES) },
  host: { is: one(HOSTS), in: many(HOSTS) },
  protocol: { is: one(PROTOCOLS), in: many(PROTOCOLS) },
  size: bounds,
  risk: bounds,
  source: { cidr: ({ pick, some }) => pick([pick(NETWORKS), some(NETWORKS)]) },
  time: { before: one(TIMES), after: one(TIMES) },
  'header.x-tenant': { is: one(TENANTS), in: many(TENANTS), starts: one(['sho', 'st']), exists: yesNo },
  'query.page': { is: one(['1', '2']), in: many(['1', '2']) },
  user: { exists: yesNo },
  'user.subject': { is: one([...SUBJECTS, '{caller.sa}']), in: many(SUBJECTS), starts: one(['a', 'we']) },
  'user.issuer': { is: one(['https://idp.example', 'https://other.example']) },
  'user.scope': list,
  'user.role': list,
  'user.acr': { is: one(ACRS), in: many(ACRS) },
  'user.auth_age': bounds,
  'user.claim.tenant': { is: one([...TENANTS, '{caller.ns}']), starts: one(['sho']) },
  'user.claim.level': { ...bounds, is: one(NUMBERS) },
};
const ATTRIBUTES = Object.keys(LANGUAGE);
/** Asked so often that rules meet requests. */
const COMMON = ['caller', 'method', 'path'];

function randomCondition(draw: Draw, depth: number): Written {
  const kind = depth === 0 ? 9 : draw.below(10);
  const branches = () => Array.from({ length: 1 + draw.below(3) }, () => randomCondition(draw, depth - 1));
  if (kind < 3) return { all: branches() };
  if (kind < 5) return { any: branches() };
  if (kind < 6) return { not: randomCondition(draw, depth - 1) };
  const attribute = draw.pick(draw.below(3) === 0 ? COMMON : ATTRIBUTES);
  const operators = LANGUAGE[attribute]!;
  const operator = draw.pick(Object.keys(operators));
  return { [attribute]: { [operator]: operators[operator]!(draw) } };
}

export function randomSets({ pick, some }: Draw): Sets {
  return { friends: [...some(CALLERS), ...pick([[], [pick(PATTERNS)]])] };
}

export function randomRules(draw: Draw): Rule[] {
  const modes = draw.pick([['enforce'], ['enforce', 'enforce', 'dry-run']] as const);
  return Array.from({ length: draw.below(14) }, (_, i) => {
    const level = draw.pick(['root', 'business-unit', 'application']);
    const targets =
      level === 'application' ? [TARGET, TARGET, TARGET, STOCK] : [TARGET, TARGET, STOCK, ...WIDE];
    const target = draw.pick(targets);
    return {
      ...{ name: `r${i}`, target, level },
      effect: draw.pick(['allow', 'allow', 'deny'] as const),
      mode: draw.pick<Rule['mode']>(modes),
      when: randomCondition(draw, 3),
    };
  });
}

export type RandomUser = {
  readonly subject: string;
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly acr: string | null;
  readonly authAge: number | null;
  readonly tenant: string | null;
  readonly level: number | null;
};

export type RandomRequest = {
  readonly caller: string;
  readonly method: string;
  readonly path: string;
  readonly origin: string | null;
  readonly host: string | null;
  readonly protocol: string;
  readonly size: number | null;
  readonly risk: number;
  readonly source: string | null;
  readonly tenant: string | null;
  readonly page: string | null;
  readonly user: RandomUser | null;
};

export function randomRequest(draw: Draw): RandomRequest {
  const { pick, some, maybe } = draw;
  const user = () => ({
    ...{
      subject: pick(SUBJECTS),
      issuer: 'https://idp.example',
      scopes: some(NAMES),
      roles: pick([some(NAMES), []]),
    },
    ...{ acr: maybe(() => pick(ACRS)), authAge: maybe(() => pick(NUMBERS)) },
    ...{ tenant: maybe(() => pick(TENANTS)), level: maybe(() => pick(NUMBERS)) },
  });
  return {
    ...{
      caller: pick(CALLERS),
      method: pick([...METHODS, 'HEAD']),
      path: pick([...PATHS, '/z', '/a/b/c/d']),
    },
    ...{ origin: maybe(() => pick(CALLERS)), host: maybe(() => pick(HOSTS)), protocol: pick(PROTOCOLS) },
    ...{ size: maybe(() => pick(NUMBERS)), risk: pick(NUMBERS), source: maybe(() => pick(SOURCES)) },
    ...{ tenant: maybe(() => pick(TENANTS)), page: maybe(() => pick(['1', '2', '3'])), user: maybe(user) },
  };
}
