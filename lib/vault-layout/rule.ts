/** What Vault's ACL may compare a parameter with. Strings are globs at both ends; the rest compares whole, as JSON. */
export type ParameterValue = string | boolean | readonly [];

export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'sudo' | 'deny';

/** One `path` of a Vault ACL policy. */
export type Rule = {
  /** Why it is there; becomes the comment above it. */
  readonly why: string;
  readonly path: string;
  readonly capabilities: readonly Capability[];
  readonly required?: readonly string[];
  /** Once given, no other parameter passes. An empty list allows any value. */
  readonly allowed?: Readonly<Record<string, readonly ParameterValue[]>>;
  readonly denied?: Readonly<Record<string, readonly ParameterValue[]>>;
  /** Both set: the call is refused unless its answer is wrapped, for a time between the two. */
  readonly wrapTtl?: { readonly min: string; readonly max: string };
};

/**
 * Marks by which a text is no SPIFFE ID path of ours, as ACL globs (`*,*` reads "contains a comma"): what Vault or a URL parser would
 * read as something else, and capitals, since Vault compares aliases without case but keeps the case it was given, so that a capital
 * would mint another ID of the same entity.
 */
export const NOT_IN_A_PATH: readonly string[] = [
  ...[',', '//', '/./', '/../', '%', '?', '#', '@', '\\', ' '].map((text) => `*${text}*`),
  ...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ', (letter) => `*${letter}*`),
];

/** "Contains a star": Vault takes such an alias for a glob that mints any ID it covers. */
export const A_STAR = '***';

/**
 * Vault splits a string at its commas and lets it pass when each part is allowed, so a text or list without any part passes every
 * `allowed_parameters` (Vault 1.21.1): `token_num_uses = ""` writes 0, no limit. Each list of allowed values is therefore
 * joined by these denied ones.
 */
const NOTHING: readonly ParameterValue[] = ['', []];

/** The policy as HCL, in one fixed form, so that a policy written by `apply` reads back the same to the byte. */
export function renderPolicy(about: string, rules: readonly Rule[]): string {
  return [
    `# ${about}\n# Written by \`signet vault apply\`: changes made by hand are reported by \`signet vault doctor\`.`,
    ...rules.map(renderRule),
  ]
    .join('\n\n')
    .concat('\n');
}

function renderRule(rule: Rule): string {
  const denied = deniedOf(rule);
  const lines = [
    `capabilities = ${list(rule.capabilities)}`,
    ...(rule.wrapTtl
      ? [`min_wrapping_ttl = ${text(rule.wrapTtl.min)}`, `max_wrapping_ttl = ${text(rule.wrapTtl.max)}`]
      : []),
    ...(rule.required ? [`required_parameters = ${list(rule.required)}`] : []),
    ...(rule.allowed ? parameters('allowed_parameters', rule.allowed) : []),
    ...(Object.keys(denied).length > 0 ? parameters('denied_parameters', denied) : []),
  ];
  return `# ${rule.why}\npath ${text(rule.path)} {\n${lines.map((line) => `  ${line}\n`).join('')}}`;
}

function deniedOf({ allowed = {}, denied = {} }: Rule): Record<string, readonly ParameterValue[]> {
  const named = Object.keys(allowed).filter((name) => allowed[name]!.length > 0);
  const names = [...named, ...Object.keys(denied).filter((name) => !named.includes(name))];
  return Object.fromEntries(
    names.map((name) => [name, [...(named.includes(name) ? NOTHING : []), ...(denied[name] ?? [])]]),
  );
}

function parameters(name: string, values: Readonly<Record<string, readonly ParameterValue[]>>): string[] {
  return [
    `${name} = {`,
    ...Object.entries(values).map(([key, list_]) => `  ${text(key)} = ${list(list_)}`),
    '}',
  ];
}

function list(values: readonly ParameterValue[]): string {
  return `[${values.map((value) => (Array.isArray(value) ? '[]' : typeof value === 'string' ? text(value) : String(value))).join(', ')}]`;
}

/** HCL reads the escapes of JSON strings; `${` has no meaning in HCL 1. */
function text(value: string): string {
  return JSON.stringify(value);
}
