import { parseTrustDomain } from '../spiffe/index.ts';
import { parseCaller } from './caller.ts';
import { oneOf, type Place } from './defect.ts';
import type { Asked } from './document.ts';
import { between, instant } from './moments.ts';
import type { NamedSets, Relation } from './named-sets.ts';
import { parseNetwork } from './network.ts';
import * as op from './operators.ts';
import { pathFlaw } from './path.ts';
import type { Scope } from './scope.ts';

/** An attribute and the operators it has. */
export type Attribute = { readonly operators: ReadonlyMap<string, op.Operator>; readonly at?: number };

const METHOD = /^[A-Z-]{1,32}$/;
const HOST = /^[a-z0-9._:[\]-]{1,255}$/;
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const SEGMENT = /^(?:[1-9]|1[0-6])$/;
const MAX_TEXT = 2048;
/** Of parameters and claims: no control characters. */
const NAME = /^[^\u0000-\u001f\u007f]{1,128}$/u;
const PROTOCOLS = ['http/1.0', 'http/1.1', 'h2', 'websocket', 'tcp'];
const MAX_SECONDS = 100 * 366 * 86_400;

const callerFlaw = op.parsedBy(
  parseCaller,
  'a SPIFFE ID such as spiffe://example.org/ns/shop/sa/web, or "anonymous"',
);
const trustDomainFlaw = op.parsedBy(parseTrustDomain, 'a trust domain such as example.org');
const methodFlaw = op.ofText((text) => (METHOD.test(text) ? null : 'a method in capitals such as "GET"'));
const pathTextFlaw = op.ofText(pathFlaw);
const textFlaw = op.ofText((text) =>
  text !== '' && text.length <= MAX_TEXT ? null : `a text of 1 to ${MAX_TEXT} characters`,
);
const hostFlaw = op.ofText((text) => (HOST.test(text) ? null : 'a host in lower case such as "orders:8443"'));
const protocolFlaw = op.ofText((text) => (PROTOCOLS.includes(text) ? null : oneOf(PROTOCOLS)));
const claimFlaw: op.ValueCheck = (value) =>
  typeof value === 'string'
    ? textFlaw(value)
    : typeof value === 'boolean' || Number.isFinite(value)
      ? null
      : 'a text, a number, true or false';
const edgeFlaw: op.ValueCheck = (value) => (typeof value === 'boolean' ? null : 'true or false');

function table(operators: Record<string, op.Operator>): Attribute {
  return { operators: new Map(Object.entries(operators)) };
}

const member = (flaw: op.ValueCheck) => ({ is: op.is(flaw), in: op.isIn(flaw) });
const caller = { is: op.is(callerFlaw), in: op.isCallerIn(callerFlaw), like: op.idLike };
const text = (flaw: op.ValueCheck) => ({
  is: op.is(flaw, reference),
  in: op.isIn(flaw),
  starts: op.starts(textFlaw),
  matches: op.matches,
  exists: op.exists,
});
const list = {
  has: op.has(textFlaw, reference),
  has_all: op.hasMany('has_all', textFlaw),
  has_any: op.hasMany('has_any', textFlaw),
  exists: op.exists,
};
const number = (most: number) => ({ below: op.bound('below', most), above: op.bound('above', most) });
const age = table({ ...number(MAX_SECONDS), exists: op.exists });
const plain = table(text(textFlaw));

/** The language: every attribute and the operators it has. What is neither here nor below is unknown, and refuses the whole set. */
const ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map([
  ['caller', table(caller)],
  ['caller.trust_domain', table({ ...member(trustDomainFlaw), exists: op.exists })],
  ['caller.ns', plain],
  ['caller.sa', plain],
  ['origin', table(caller)],
  [
    'chain',
    table({
      has: op.has(callerFlaw),
      has_any: op.hasMany('has_any', callerFlaw),
      exists: op.exists,
    }),
  ],
  ['user', table({ exists: op.exists })],
  ['user.subject', plain],
  ['user.issuer', plain],
  ['user.scope', table(list)],
  ['user.role', table(list)],
  ['user.consent', table(list)],
  ['user.acr', table({ ...member(textFlaw), exists: op.exists })],
  ['user.auth_age', age],
  ['token.age', age],
  ['method', table(member(methodFlaw))],
  ['path', table({ ...member(pathTextFlaw), starts: op.pathStarts, like: op.pathLike, matches: op.matches })],
  ['host', table({ ...member(hostFlaw), matches: op.matches })],
  ['protocol', table(member(protocolFlaw))],
  ['size', table({ ...number(Number.MAX_SAFE_INTEGER), exists: op.exists })],
  ['source', table({ is: networks(false), cidr: networks(true) })],
  ['edge', table({ is: op.is(edgeFlaw) })],
  ['time', table({ before: instant('before'), after: instant('after'), between })],
  ['risk', table(number(100))],
]);

type Family = {
  readonly example: string;
  /** Null: there is no such name. */
  readonly find: (name: string, scope: Scope) => Attribute | null;
};

/** Attributes whose names go on with a name of the author's. */
const FAMILIES: ReadonlyMap<string, Family> = new Map([
  ['caller.segment.', { example: 'caller.segment.1', find: (name) => (SEGMENT.test(name) ? plain : null) }],
  [
    'path.',
    {
      example: 'path.id, where a path like of the same document has {id}, always as the same segment',
      find: (name, { placeholders }) => {
        const at = placeholders.get(name);
        return at === undefined || at === null ? null : { ...plain, at };
      },
    },
  ],
  ['query.', { example: 'query.page', find: (name) => (isName(name) ? plain : null) }],
  [
    'header.',
    { example: 'header.x-request-id, in lower case', find: (name) => (HEADER.test(name) ? plain : null) },
  ],
  [
    'user.claim.',
    {
      example: 'user.claim.tenant or user.claim./address/country',
      find: (name) => (isName(name) ? claim : null),
    },
  ],
]);

const claim = table({ ...text(claimFlaw), ...list, ...number(Number.MAX_SAFE_INTEGER) });

const RELATION = 'relation';
const relationsOf = new WeakMap<NamedSets, Attribute['operators']>();

/** Every declared relation is an operator of its own. */
function relationOperators(names: NamedSets): Attribute['operators'] {
  const known = relationsOf.get(names);
  if (known !== undefined) return known;
  const operators = new Map([...names.relations].map(([name, pairs]) => [name, related(name, pairs)]));
  relationsOf.set(names, operators);
  return operators;
}

function related(relation: string, pairs: Relation): op.Operator {
  const expected = 'two attributes of the request, such as ["{user.subject}", "{path.id}"]';
  return (operand, place, scope) => {
    if (!Array.isArray(operand) || operand.length !== 2) return place.refuse(operand, expected);
    const [from, to] = operand.map((value, i) => {
      const name = op.referenceName(value);
      return name === null ? place.at(i).refuse(value, expected) : reference(name, place.at(i), scope);
    });
    return from && to ? { operator: 'related', relation, pairs, from, to } : null;
  };
}

/** The words that a condition may begin with, for whoever wrote another. */
const ATTRIBUTE_NAMES = [
  ...ATTRIBUTES.keys(),
  RELATION,
  ...[...FAMILIES.keys()].map((prefix) => `${prefix}<name>`),
];

/** An attribute by its name; null when it recorded a defect. */
export function attributeNamed(
  name: string,
  place: Place,
  scope: Scope,
  others: readonly string[],
): Attribute | null {
  if (name === RELATION) return { operators: relationOperators(scope.names) };
  const known = ATTRIBUTES.get(name);
  if (known !== undefined) return known;
  for (const [prefix, { example, find }] of FAMILIES) {
    if (name.startsWith(prefix)) return find(name.slice(prefix.length), scope) ?? place.refuse(name, example);
  }
  return place.refuse(name, oneOf([...others, ...ATTRIBUTE_NAMES]));
}

/** Another attribute of the same request, as an operand. Only one that is a text. */
function reference(name: string, place: Place, scope: Scope): Asked | null {
  const attribute = attributeNamed(name, place, scope, []);
  if (attribute === null) return null;
  if (!attribute.operators.has('matches') || name === 'path') {
    return place.refuse(`{${name}}`, 'an attribute that is a text, such as "{user.subject}" or "{path.id}"');
  }
  const { at } = attribute;
  return at === undefined ? { attribute: name } : { attribute: name, at };
}

function isName(name: string): boolean {
  return NAME.test(name);
}

function networks(prefixes: boolean): op.Operator {
  const expected = prefixes
    ? 'a network such as "10.0.0.0/8" or "fd00::/8", no bits set after its prefix, or an array of them'
    : 'an IP address';
  return (operand, place) => {
    const read = (value: unknown, at: Place) => {
      const network =
        typeof value === 'string' && (prefixes || !value.includes('/')) ? parseNetwork(value) : null;
      return network ?? at.refuse(value, expected);
    };
    const one = typeof operand === 'string' || !prefixes;
    const found = one ? read(operand, place) : op.list(operand, place, read);
    return found && { operator: prefixes ? 'cidr' : 'is', networks: Array.isArray(found) ? found : [found] };
  };
}
