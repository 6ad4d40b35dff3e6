import type { SpiffeId } from '../spiffe/index.ts';
import { ANONYMOUS, type Caller } from './caller.ts';
import type { Asked, Scalar } from './document.ts';
import type { Facts } from './facts.ts';
import { segmentOf } from './path.ts';
import { queryValue, UNREADABLE } from './query.ts';

/** A request, with the caller's text taken once. */
export type Subject = {
  readonly caller: Caller;
  readonly callerText: string;
  readonly method: string;
  readonly path: string;
  readonly facts: Facts | null;
};

/** What a request has for an attribute: null for nothing, a list for several values. */
export type Value = Scalar | readonly Scalar[] | ReadonlySet<string> | Date | null | typeof UNREADABLE;
export type Reader = (subject: Subject) => Value;

/** How an attribute is read. Nothing is asked for before a rule wants it. */
export function readerOf({ attribute, at }: Asked): Reader {
  const known = READERS.get(attribute);
  if (known !== undefined) return known;
  if (at !== undefined) return ({ path }) => segmentOf(path, at);
  for (const [prefix, reader] of FAMILIES) {
    if (attribute.startsWith(prefix)) return reader(attribute.slice(prefix.length));
  }
  // The parser let it through: a gap in this file, which must not look like a request without the attribute.
  throw new Error(`no reader for ${attribute}`);
}

/** Who started it: a SPIFFE ID, or the caller where no chain was forwarded. */
export function originOf({ caller, facts }: Subject): Caller {
  return facts?.chain[0] ?? caller;
}

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['caller', ({ callerText }) => callerText],
  ['caller.trust_domain', ({ caller }) => (caller === ANONYMOUS ? null : caller.trustDomain)],
  ['caller.ns', ({ caller }) => standard(caller, 1)],
  ['caller.sa', ({ caller }) => standard(caller, 3)],
  ['origin', (subject) => originOf(subject).toString()],
  ['chain', ({ facts }) => facts?.chain.map(String) ?? null],
  ['user', ({ facts }) => facts?.user?.subject ?? null],
  ['user.subject', ({ facts }) => facts?.user?.subject ?? null],
  ['user.issuer', ({ facts }) => facts?.user?.issuer ?? null],
  ['user.scope', ({ facts }) => facts?.user?.scopes ?? null],
  ['user.role', ({ facts }) => facts?.user?.roles ?? null],
  ['user.consent', ({ facts }) => facts?.user?.consents ?? null],
  ['user.acr', ({ facts }) => facts?.user?.acr ?? null],
  ['user.auth_age', ({ facts }) => secondsSince(facts, facts?.user?.authTime)],
  ['token.age', ({ facts }) => secondsSince(facts, facts?.user?.issuedAt)],
  ['method', ({ method }) => method],
  ['path', ({ path }) => path],
  ['host', ({ facts }) => facts?.host || null],
  ['protocol', ({ facts }) => facts?.protocol ?? null],
  ['size', ({ facts }) => facts?.size ?? null],
  ['source', ({ facts }) => facts?.source ?? null],
  ['edge', ({ facts }) => facts?.edge ?? null],
  ['time', ({ facts }) => facts?.now ?? null],
  ['risk', ({ facts }) => facts?.risk.score ?? null],
]);

const FAMILIES: readonly [prefix: string, (name: string) => Reader][] = [
  ['caller.segment.', (name) => segmentReader(Number(name) - 1)],
  [
    'query.',
    (name) =>
      ({ facts }) =>
        facts === null ? null : queryValue(facts.query, name),
  ],
  [
    'header.',
    (name) =>
      ({ facts }) =>
        facts?.header(name) ?? null,
  ],
  ['user.claim.', claimReader],
];

function segmentReader(at: number): Reader {
  return ({ caller }) => (caller === ANONYMOUS ? null : (caller.segments[at] ?? null));
}

/** Of an ID of the form `/ns/<ns>/sa/<sa>`. */
function standard(caller: Caller, at: 1 | 3): string | null {
  return caller !== ANONYMOUS && isStandard(caller) ? caller.segments[at]! : null;
}

function isStandard({ segments }: SpiffeId): boolean {
  return segments.length === 4 && segments[0] === 'ns' && segments[2] === 'sa';
}

function secondsSince(facts: Facts | null, instant: number | null | undefined): number | null {
  if (facts === null || instant == null) return null;
  return Math.max(0, facts.now.getTime() / 1000 - instant);
}

/** A claim by its name, or by a JSON pointer (RFC 6901) into the claims. */
function claimReader(name: string): Reader {
  const tokens = name.startsWith('/')
    ? name
        .slice(1)
        .split('/')
        .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [name];
  return ({ facts }) => {
    let value: unknown = facts?.user?.claims;
    if (value === undefined) return null;
    for (const token of tokens) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return null;
      value = (value as Record<string, unknown>)[token];
    }
    return claimValue(value);
  };
}

function claimValue(value: unknown): Value {
  if (value === null || value === undefined) return null;
  if (isScalar(value)) return value;
  if (Array.isArray(value) && value.every(isScalar)) return value.length === 0 ? null : value;
  return UNREADABLE;
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
