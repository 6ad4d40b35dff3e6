/**
 * The part of our policy language that Cedar can say as well: how to write a comparison at random, and what it is in Cedar. Cedar's text
 * is made from the document as an author would write it, not from what our parser made of it.
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

export function cedarPolicy({ target, effect, when }: Rule): string {
  const head = `${effect === 'allow' ? 'permit' : 'forbid'}(principal, action, resource == S::${text(target)})`;
  return `${head} when { ${cedarCondition(when)} };`;
}

function cedarCondition(when: Written): string {
  const [[key, value]] = Object.entries(when) as [[string, unknown]];
  if (key === 'all') return joined(value as Written[], '&&');
  if (key === 'any') return joined(value as Written[], '||');
  if (key === 'not') return `!(${cedarCondition(value as Written)})`;
  const [[operator, operand]] = Object.entries(value as Written) as [[string, unknown]];
  const said = COMPARISONS[`${key} ${operator}`];
  if (said === undefined) throw new Error(`no Cedar for ${key} ${operator}`);
  return `(${said(operand as never)})`;
}

function joined(branches: readonly Written[], by: string): string {
  return `(${branches.map(cedarCondition).join(` ${by} `)})`;
}

const text = (value: string) => JSON.stringify(value);
const oneOf = (list: readonly string[], what: string) => `[${list.map(text).join(', ')}].contains(${what})`;
const entities = (type: string, list: readonly string[]) =>
  list.map((id) => `${type}::${text(id)}`).join(', ');

/** By `attribute operator`. What a request may lack is asked for first, so that no comparison is an error. */
const COMPARISONS: Readonly<Record<string, (operand: never) => string>> = {
  'caller is': (id: string) => `principal == C::${text(id)}`,
  'caller in': (ids: string[]) => `principal in [${entities('C', ids)}]`,
  'caller like': (pattern: string) => {
    const [trustDomain, ...segments] = pattern.slice('spiffe://'.length).split('/');
    return `context.id.domain == ${text(trustDomain!)} && ${segmentsLike('context.id', segments)}`;
  },
  'caller.trust_domain is': (domain: string) => `context.id.domain == ${text(domain)}`,
  'caller.trust_domain in': (domains: string[]) => oneOf(domains, 'context.id.domain'),
  'method is': (method: string) => `action == Action::${text(method)}`,
  'method in': (methods: string[]) => `action in [${entities('Action', methods)}]`,
  'path is': (path: string) => `context.path == ${text(path)}`,
  'path in': (paths: string[]) => oneOf(paths, 'context.path'),
  'path starts': (prefix: string) =>
    prefix.endsWith('/')
      ? `context.path like ${text(`${prefix}*`)}`
      : `context.path == ${text(prefix)} || context.path like ${text(`${prefix}/*`)}`,
  'path like': (template: string) =>
    segmentsLike(
      'context.segments',
      template
        .slice(1)
        .split('/')
        .map((part) => (part.startsWith('{') ? '*' : part)),
    ),
};

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
