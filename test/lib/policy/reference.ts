import type { PolicyRequest } from '../../../lib/policy/index.ts';

/** The language read as plainly as can be, from the JSON: no index, no compilation, nothing remembered. */
export type PlainRule = {
  readonly name: string;
  readonly level: string;
  readonly effect: 'allow' | 'deny';
  readonly mode: string;
  readonly when: Json;
  readonly challenge?: unknown;
};
export type PlainNames = {
  readonly sets: Readonly<Record<string, readonly string[]>>;
  readonly relations: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
};
// biome-ignore lint/suspicious/noExplicitAny: JSON that the generator made, walked as it is
type Json = any;

/** `allow name`, `deny -`, with what dry-run rules would change. */
export function plainDecision(
  rules: readonly PlainRule[],
  names: PlainNames,
  request: PolicyRequest,
): string {
  const levels = ['root', 'business-unit', 'application'];
  const matched = rules
    .filter((rule) => plainlyMatches(rule, names, request))
    .sort((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level) || (a.name < b.name ? -1 : 1));
  const first = (effect: string, modes: readonly string[]) =>
    matched.find((rule) => rule.effect === effect && modes.includes(rule.mode));
  const deciding = first('deny', ['enforce']) ?? first('allow', ['enforce']);
  const would = first('deny', ['enforce', 'dry-run']) ?? first('allow', ['enforce', 'dry-run']);
  const hits = matched.filter(({ mode }) => mode === 'dry-run').map(({ name }) => name);
  return `${deciding?.effect ?? 'deny'} ${deciding?.name ?? '-'} [${hits}] ${would?.effect ?? 'deny'}`;
}

export function plainlyMatches(rule: PlainRule, names: PlainNames, request: PolicyRequest): boolean {
  const world = { names, request, when: rule.when, effect: rule.effect };
  const holds = (way: Way) => way.every(({ predicate, negated }) => isShown(predicate, negated, world));
  const ways = waysOf(rule.when, false);
  if (rule.effect === 'deny' || request.caller !== 'anonymous') return ways.some(holds);
  return ways.some(
    (way) => holds(way) && way.some(({ predicate, negated }) => !negated && isNamed(predicate, names)),
  );
}

type Literal = { readonly predicate: Json; readonly negated: boolean };
type Way = readonly Literal[];
type World = {
  readonly names: PlainNames;
  readonly request: PolicyRequest;
  readonly when: Json;
  readonly effect: string;
};

/** Every way in which a condition can hold: comparisons that have to come true together (the disjunctive normal form). */
function waysOf(when: Json, negated: boolean): Way[] {
  const [[key, value]] = Object.entries(when) as [[string, Json]];
  if (key === 'not') return waysOf(value, !negated);
  if (key !== 'all' && key !== 'any') return [[{ predicate: when, negated }]];
  const branches: Way[][] = value.map((inner: Json) => waysOf(inner, negated));
  if ((key === 'any') !== negated) return branches.flat();
  return branches.reduce((sofar, branch) => sofar.flatMap((a) => branch.map((b) => [...a, ...b])), [[]]);
}

function isNamed({ caller = {} }: Json, names: PlainNames): boolean {
  return expanded([caller.is ?? caller.in ?? []].flat(), names).includes('anonymous');
}

/**
 * Of all the values that a request has for an attribute, an allow wants every one to agree (below not: to differ), and one at least; a deny
 * is content with one, and below `not` with none at all.
 */
function isShown(predicate: Json, negated: boolean, world: World): boolean {
  const agree = agreements(predicate, world);
  if (agree === 'both') return world.effect === 'deny';
  if (world.effect === 'allow') return agree.length > 0 && agree.every((each) => each !== negated);
  return negated ? agree.length === 0 || agree.includes(false) : agree.includes(true);
}

function agreements(predicate: Json, world: World): boolean[] | 'both' {
  const [[attribute, comparison]] = Object.entries(predicate) as [[string, Json]];
  const [[operator, operand]] = Object.entries(comparison) as [[string, Json]];
  if (attribute === 'relation') {
    const [from, to] = operand.map((name: string) => valuesOf(name.slice(1, -1), world));
    if (from.length > 1 || to.length > 1) return 'both';
    if (!from[0] || !to[0]) return [];
    const pairs = world.names.relations[operator]!;
    return [Object.hasOwn(pairs, from[0]) && expanded(pairs[from[0]]!, world.names).includes(to[0])];
  }
  const found = valuesOf(attribute, world);
  if (operator === 'exists') return [found.length > 0 === operand];
  const reference = typeof operand === 'string' ? /^\{(.*)\}$/.exec(operand)?.[1] : undefined;
  const others = reference === undefined ? [] : valuesOf(reference, world);
  if (others.length > 1) return 'both';
  if (reference !== undefined && !others[0]) return [];
  const wanted = reference === undefined ? operand : others[0];
  if (operator.startsWith('has')) {
    if (isList(attribute) ? lacks(attribute, world) : found.length === 0) return [];
    const named = typeof wanted === 'string' && wanted.startsWith('$') && operator === 'has_any';
    const all: Json[] = named ? expanded([wanted], world.names) : [wanted].flat();
    const has = (each: Json) => found.includes(each);
    return [operator === 'has_any' ? all.some(has) : all.every(has)];
  }
  return found.map((value) => compare(attribute, operator, wanted, value, world));
}

function compare(attribute: string, operator: string, wanted: Json, value: Json, { names }: World): boolean {
  switch (operator) {
    case 'is':
      return value === wanted;
    case 'in':
      return typeof wanted === 'string'
        ? expanded([wanted], names).some((each) =>
            each.includes('*') ? glob(each).test(value) : each === value,
          )
        : wanted.includes(value);
    case 'like':
      return glob(wanted).test(value);
    case 'starts':
      if (attribute !== 'path') return value.startsWith(wanted);
      return wanted.endsWith('/') ? value.startsWith(wanted) : `${value}/`.startsWith(`${wanted}/`);
    case 'matches':
      return new RegExp(`^(?:${wanted})$`, 'su').test(value);
    case 'below':
      return value < wanted;
    case 'above':
      return value > wanted;
    case 'before':
      return value < Date.parse(wanted);
    case 'after':
      return value >= Date.parse(wanted);
    case 'between':
      return isBetween(wanted, value);
    case 'cidr':
      return [wanted].flat().some((network) => isIn(network, value));
    default:
      throw new Error(operator);
  }
}

/** Attributes of which a user has a list, perhaps an empty one. */
const LISTS = new Map<string, 'scopes' | 'roles' | 'consents'>([
  ['user.scope', 'scopes'],
  ['user.role', 'roles'],
  ['user.consent', 'consents'],
]);

function isList(attribute: string): boolean {
  return LISTS.has(attribute) || attribute === 'chain';
}

function lacks(attribute: string, { request }: World): boolean {
  return attribute === 'chain' ? request.facts === undefined : request.facts?.user == null;
}

function valuesOf(attribute: string, world: World): Json[] {
  return [one(attribute, world)].flat().filter((value) => value !== null && value !== undefined);
}

function one(attribute: string, { request, when }: World): Json {
  const { caller, facts } = request;
  const user = facts?.user;
  const segments = caller === 'anonymous' ? [] : caller.toString().split('/').slice(3);
  const isStandard = segments.length === 4 && segments[0] === 'ns' && segments[2] === 'sa';
  const list = LISTS.get(attribute);
  if (list !== undefined) return user == null ? null : [...user[list]];
  const [, family, name = ''] =
    /^(caller\.segment|path|query|header|user\.claim)\.(.*)$/.exec(attribute) ?? [];
  switch (family) {
    case 'caller.segment':
      return segments[Number(name) - 1];
    case 'path': {
      const template = JSON.stringify(when)
        .match(/"like":"(\/[^"]*)"/g)
        ?.find((each) => each.includes(`{${name}}`));
      const at = template!.slice(8, -1).split('/').indexOf(`{${name}}`);
      const segment = request.path.split('/')[at];
      return segment ? decodeURIComponent(segment) : null;
    }
    case 'query':
      return new URLSearchParams(facts?.query).getAll(name);
    case 'header':
      return facts?.header(name);
    case 'user.claim':
      return user?.claims[name];
  }
  const seconds = (at: number | null | undefined) =>
    at == null ? null : Math.max(0, facts!.now.getTime() / 1000 - at);
  return {
    caller: caller.toString(),
    'caller.trust_domain': caller === 'anonymous' ? null : caller.toString().split('/')[2],
    'caller.ns': isStandard ? segments[1] : null,
    'caller.sa': isStandard ? segments[3] : null,
    origin: (facts?.chain[0] ?? caller).toString(),
    chain: facts?.chain.map(String),
    user: user?.subject,
    'user.subject': user?.subject,
    'user.issuer': user?.issuer,
    'user.acr': user?.acr,
    'user.auth_age': seconds(user?.authTime),
    'token.age': seconds(user?.issuedAt),
    method: request.method,
    path: request.path,
    host: facts?.host,
    protocol: facts?.protocol,
    size: facts?.size,
    source: facts?.source,
    edge: facts?.edge,
    time: facts?.now.getTime(),
    risk: facts?.risk.score,
  }[attribute];
}

function expanded(members: readonly string[], names: PlainNames, seen: readonly string[] = []): string[] {
  return members.flatMap((member) => {
    if (!member.startsWith('$')) return [member];
    return seen.includes(member) ? [] : expanded(names.sets[member.slice(1)]!, names, [...seen, member]);
  });
}

/** Patterns of IDs and templates of paths. */
function glob(pattern: string): RegExp {
  const text = pattern
    .replace(/[.]/g, '\\.')
    .replace(/\*\*$/, '.+')
    .replace(/\*/g, '[^/]+')
    .replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${text}$`, 's');
}

function isBetween({ from, to, days, zone = 'UTC' }: Json, now: number): boolean {
  const shown = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  const parts = Object.fromEntries(shown.formatToParts(now).map(({ type, value }) => [type, value]));
  const clock = `${parts['hour']}:${parts['minute']}`;
  const week = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
  const today = week.indexOf(parts['weekday']!.toLowerCase());
  const on = (day: number) => days === undefined || days.includes(week[(day + 7) % 7]);
  if (from === undefined) return on(today);
  if (from < to) return clock >= from && clock < to && on(today);
  return (clock >= from && on(today)) || (clock < to && on(today - 1));
}

function isIn(network: string, address: string): boolean {
  const [base = '', length] = network.split('/');
  const [a, b] = [bitsOf(base), bitsOf(address)];
  return a.length === b.length && b.startsWith(a.slice(0, length === undefined ? a.length : Number(length)));
}

function bitsOf(address: string): string {
  const binary = (n: number, width: number) => n.toString(2).padStart(width, '0');
  if (!address.includes(':'))
    return address
      .split('.')
      .map((part) => binary(Number(part), 8))
      .join('');
  const [left = '', right] = address.split('::');
  const words = (text = '') => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)));
  const [start, end] = [words(left), words(right)];
  const gap = right === undefined ? 0 : 8 - start.length - end.length;
  return [...start, ...Array<number>(gap).fill(0), ...end].map((word) => binary(word, 16)).join('');
}
