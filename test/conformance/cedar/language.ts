/**
 * The part of our policy language that Cedar can say as well, in Cedar. Its text is made from the document as an author would write it,
 * not from what our parser made of it.
 */
export type Written = { readonly [member: string]: unknown };

export type Rule = {
  readonly name: string;
  readonly target: string;
  readonly level: string;
  readonly effect: 'allow' | 'deny';
  readonly mode: 'enforce' | 'dry-run';
  readonly when: Written;
};

/** Named sets of callers. */
export type Sets = Readonly<Record<string, readonly string[]>>;

/** Of a pattern of targets, whether it matches the service that is asked about is known here. */
export function cedarPolicy(
  { target, effect, when }: Rule,
  sets: Sets,
  isFor: (target: string) => boolean,
): string {
  const service = isFor(target) ? '' : ` == S::"another"`;
  const translation = new Translation(effect, sets);
  return `${effect === 'allow' ? 'permit' : 'forbid'}(principal, action, resource${service}) when { ${translation.of(when, false)} };`;
}

/** A comparison in Cedar: when there is something to compare, and when it holds then. */
type Said = { readonly present?: string; readonly holds: string };

class Translation {
  readonly #effect: Rule['effect'];
  readonly #sets: Sets;

  constructor(effect: Rule['effect'], sets: Sets) {
    this.#effect = effect;
    this.#sets = sets;
  }

  of(when: Written, negated: boolean): string {
    const [[key, value]] = Object.entries(when) as [[string, unknown]];
    if (key === 'all') return this.#joined(value as Written[], '&&', negated);
    if (key === 'any') return this.#joined(value as Written[], '||', negated);
    if (key === 'not') return `!(${this.of(value as Written, !negated)})`;
    const [[operator, operand]] = Object.entries(value as Written) as [[string, unknown]];
    const { present, holds } = this.#comparison(key, operator, operand);
    if (present === undefined) return `(${holds})`;
    // An allow wants what is absent to be shown, whichever way round it asks.
    return negated && this.#effect === 'allow'
      ? `(!(${present}) || (${holds}))`
      : `(${present} && (${holds}))`;
  }

  #joined(branches: readonly Written[], by: string, negated: boolean): string {
    return `(${branches.map((branch) => this.of(branch, negated)).join(` ${by} `)})`;
  }

  #comparison(attribute: string, operator: string, operand: unknown): Said {
    const known = SPECIAL[`${attribute} ${operator}`];
    if (known !== undefined) return known(this.#expanded(operand) as never);
    const [value, present] = VALUES[attribute] ?? [];
    const said = OPERATORS[operator];
    if (value === undefined || said === undefined) throw new Error(`no Cedar for ${attribute} ${operator}`);
    return { ...(present === undefined ? {} : { present }), ...said(value, operand as never, present) };
  }

  #expanded(operand: unknown): unknown {
    return typeof operand === 'string' && operand.startsWith('$') ? this.#sets[operand.slice(1)] : operand;
  }
}

const SEGMENTS = 'context.segments';
const text = (value: string) => JSON.stringify(value);
const set = (list: readonly string[]) => `[${list.map(text).join(', ')}]`;
const entities = (type: string, list: readonly string[]) =>
  list.map((id) => `${type}::${text(id)}`).join(', ');
const instant = (iso: string) => `datetime(${text(iso)})`;
const network = (cidr: string) => `ip(context.source).isInRange(ip(${text(cidr)}))`;
const prefix = (value: string, start: string) => `${value} like ${text(start).slice(0, -1)}*"`;

/** Attributes, and when a request has them. */
const VALUES: Readonly<Record<string, [value: string, present?: string]>> = {
  'caller.trust_domain': ['context.id.domain'],
  'caller.ns': ['context.ns', 'context has ns'],
  'caller.sa': ['context.sa', 'context has sa'],
  origin: ['context.origin'],
  path: ['context.path'],
  host: ['context.host', 'context has host'],
  protocol: ['context.protocol'],
  size: ['context.size', 'context has size'],
  risk: ['context.risk'],
  'header.x-tenant': ['context.tenant', 'context has tenant'],
  'query.page': ['context.page', 'context has page'],
  user: ['context.user', 'context has user'],
  'user.subject': ['context.user.subject', 'context has user'],
  'user.issuer': ['context.user.issuer', 'context has user'],
  'user.scope': ['context.user.scopes', 'context has user'],
  'user.role': ['context.user.roles', 'context has user'],
  'user.acr': ['context.user.acr', 'context has user && context.user has acr'],
  'user.auth_age': ['context.user.auth_age', 'context has user && context.user has auth_age'],
  'user.claim.tenant': ['context.user.tenant', 'context has user && context.user has tenant'],
  'user.claim.level': ['context.user.level', 'context has user && context.user has level'],
};

const OPERATORS: Readonly<Record<string, (value: string, operand: never, present?: string) => Said>> = {
  is(value, operand: string) {
    const other =
      typeof operand === 'string' && operand.startsWith('{') ? VALUES[operand.slice(1, -1)] : undefined;
    if (other === undefined) return { holds: `${value} == ${JSON.stringify(operand)}` };
    return both(value, other, (a, b) => `${a} == ${b}`);
  },
  in: (value, operand: string[]) => ({ holds: `${set(operand)}.contains(${value})` }),
  starts: (value, operand: string) => ({ holds: prefix(value, operand) }),
  has(value, operand: string) {
    const other = operand.startsWith('{') ? VALUES[operand.slice(1, -1)] : undefined;
    if (other === undefined) return { holds: `${value}.contains(${text(operand)})` };
    return both(value, other, (a, b) => `${a}.contains(${b})`);
  },
  has_all: (value, operand: string[]) => ({ holds: `${value}.containsAll(${set(operand)})` }),
  has_any: (value, operand: string[]) => ({ holds: `${value}.containsAny(${set(operand)})` }),
  below: (value, operand: number) => ({ holds: `${value} < ${operand}` }),
  above: (value, operand: number) => ({ holds: `${value} > ${operand}` }),
};

/** Two attributes of one request: there is something to compare when it has both. */
function both(
  value: string,
  [other, present]: [string, string?],
  holds: (a: string, b: string) => string,
): Said {
  const own = Object.values(VALUES).find(([each]) => each === value)?.[1];
  const needed = [own, present].filter((each) => each !== undefined);
  return { ...(needed.length === 0 ? {} : { present: needed.join(' && ') }), holds: holds(value, other) };
}

const SPECIAL: Readonly<Record<string, (operand: never) => Said>> = {
  'caller is': (id: string) => ({ holds: `principal == C::${text(id)}` }),
  'caller in': (ids: string[]) => ({ holds: ids.map(callerIs).join(' || ') }),
  'caller like': (pattern: string) => ({ holds: idLike('context.id', pattern) }),
  'origin like': (pattern: string) => ({ holds: idLike('context.origin_id', pattern) }),
  'method is': (method: string) => ({ holds: `action == Action::${text(method)}` }),
  'method in': (methods: string[]) => ({ holds: `action in [${entities('Action', methods)}]` }),
  'path starts': (start: string) => ({
    holds: start.endsWith('/')
      ? prefix('context.path', start)
      : `context.path == ${text(start)} || ${prefix('context.path', `${start}/`)}`,
  }),
  'path like': (template: string) => {
    const segments = template
      .slice(1)
      .split('/')
      .map((part) => (part.startsWith('{') ? '*' : part));
    // `/a/` has nothing below `/a`.
    const below = segments.at(-1) === '**' ? ` && ${SEGMENTS}.s${segments.length - 1} != ""` : '';
    return { holds: segmentsLike(SEGMENTS, segments) + below };
  },
  'source cidr': (cidr: string | string[]) => ({
    present: 'context has source',
    holds: [cidr].flat().map(network).join(' || '),
  }),
  'time before': (iso: string) => ({ holds: `context.now < ${instant(iso)}` }),
  'time after': (iso: string) => ({ holds: `context.now >= ${instant(iso)}` }),
  'user exists': (wanted: boolean) => ({ holds: `(context has user) == ${wanted}` }),
  'header.x-tenant exists': (wanted: boolean) => ({ holds: `(context has tenant) == ${wanted}` }),
};

/** A set of callers may hold patterns. */
function callerIs(id: string): string {
  return id.includes('*') ? `(${idLike('context.id', id)})` : `principal == C::${text(id)}`;
}

function idLike(record: string, pattern: string): string {
  const [trustDomain, ...segments] = pattern.slice('spiffe://'.length).split('/');
  return `${record}.domain == ${text(trustDomain!)} && ${segmentsLike(record, segments)}`;
}

/** `*` is one segment that is not empty, a last `**` one or more. */
function segmentsLike(record: string, segments: readonly string[]): string {
  const open = segments.at(-1) === '**';
  const fixed = open ? segments.slice(0, -1) : segments;
  const each = fixed.map((segment, i) =>
    segment === '*' ? `${record}.s${i} != ""` : `${record}.s${i} == ${text(segment)}`,
  );
  const length = open ? `${record}.n > ${fixed.length}` : `${record}.n == ${fixed.length}`;
  return [length, ...each].join(' && ');
}
