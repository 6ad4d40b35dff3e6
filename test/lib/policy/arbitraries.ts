import fc from 'fast-check';
import type { PolicyRequest } from '../../../lib/policy/index.ts';
import type { PlainNames, PlainRule } from './reference.ts';
import { requestFrom } from './support.ts';

/** Names and values few enough that comparisons come true as often as not. */
const CALLERS = [
  'spiffe://example.org/ns/shop/sa/web',
  'spiffe://example.org/ns/shop/sa/api',
  'spiffe://example.org/ns/edge/sa/gw',
  'spiffe://example.com/ns/shop/sa/web',
  'spiffe://example.org/device-type/x/ver/1/ins/7',
];
const ANYBODY = [...CALLERS, 'anonymous', 'anonymous'];
const PATTERNS = [
  'spiffe://example.org/ns/*/sa/web',
  'spiffe://example.org/ns/**',
  'spiffe://example.com/**',
];
const PATHS = ['/', '/a', '/a/', '/a/alice', '/a/bob', '/a/alice/x', '/b', '/b/j%C3%BC'];
const TEMPLATES = ['/{top}', '/a/{id}', '/a/{id}/x', '/a/{id}/**', '/{top}/{id}', '/**', '/b/{id}'];
const WORDS = ['alice', 'bob', 'shop', 'web', 'jü', 'a'];
const REGEXES = ['/a/.*', '[a-z]+', '(al|b)[a-z]*', '.', '/[ab]/?', '\\p{L}*'];
const TIMES = [
  '2026-03-29T00:30:00Z',
  '2026-07-01T12:00:00Z',
  '2026-07-03T22:15:00Z',
  '2026-12-31T23:59:59Z',
];
const NETWORKS = ['10.0.0.0/8', '10.1.0.0/16', '192.0.2.1', '0.0.0.0/0', '2001:db8::/32', '::/0', 'fd00::/9'];

export const NAMES: PlainNames = {
  sets: {
    callers: [CALLERS[0]!, '$edge', 'anonymous'],
    edge: ['spiffe://example.org/ns/edge/**', '$callers'],
    people: ['alice', '$more'],
    more: ['bob', 'shop'],
    nobody: [],
  },
  relations: { knows: { alice: ['bob', '$more'], bob: ['alice'], shop: ['web', 'alice'] } },
};

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const some = <T>(values: readonly T[]) =>
  fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const ask = (attribute: string, comparison: fc.Arbitrary<object>) =>
  comparison.map((each) => ({ [attribute]: each }));
const by = (operator: string, operand: fc.Arbitrary<unknown>) =>
  operand.map((each) => ({ [operator]: each }));

const reference = pick(
  'user.subject',
  'query.q',
  'header.x-who',
  'user.claim.t',
  'caller.ns',
  'caller.segment.4',
);
const wantedText = fc.oneof(
  pick(...WORDS),
  reference.map((name) => `{${name}}`),
);
const exists = by('exists', fc.boolean());
const text = fc.oneof(
  by('is', wantedText),
  by('in', fc.oneof(some(WORDS), pick('$people', '$nobody'))),
  by('starts', pick('a', 'al', 'b')),
  by('matches', pick(...REGEXES)),
  exists,
);
const list = fc.oneof(
  by('has', wantedText),
  by('has_all', some(WORDS)),
  by('has_any', fc.oneof(some(WORDS), pick('$people', '$more'))),
  exists,
);
const caller = fc.oneof(
  by('is', pick(...ANYBODY)),
  by('in', fc.oneof(some(ANYBODY), pick('$callers'))),
  by('like', pick(...PATTERNS)),
);
const numbers = (...values: number[]) => fc.oneof(by('below', pick(...values)), by('above', pick(...values)));
const window = fc.record(
  {
    from: pick('00:00', '00:30', '12:00', '22:00'),
    to: pick('00:00', '02:00', '12:01', '23:59'),
    days: some(['sun', 'mon', 'wed', 'fri', 'sat']),
    zone: pick('UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu'),
  },
  { requiredKeys: ['from', 'to'] },
);

const predicate: fc.Arbitrary<object> = fc.oneof(
  { weight: 3, arbitrary: ask('caller', caller) },
  ask('caller.trust_domain', by('is', pick('example.org', 'example.com'))),
  ask('caller.ns', text),
  ask('caller.segment.4', text),
  ask('origin', caller),
  ask('chain', fc.oneof(by('has', pick(...CALLERS)), by('has_any', some(CALLERS)), exists)),
  ask('user', exists),
  ask('user.subject', text),
  ask('user.scope', list),
  ask('user.role', list),
  ask('user.acr', fc.oneof(by('is', pick('mfa', 'pwd')), exists)),
  ask('user.auth_age', numbers(60, 600)),
  ask('token.age', numbers(60, 600)),
  ask('user.claim.t', text),
  ask('user.claim.l', fc.oneof(by('has', wantedText), by('has_any', some(WORDS)), exists)),
  ask('user.claim.n', fc.oneof(numbers(1, 3), by('is', pick(2, 3)))),
  {
    weight: 3,
    arbitrary: ask('method', fc.oneof(by('is', pick('GET', 'PUT')), by('in', some(['GET', 'POST'])))),
  },
  {
    weight: 5,
    arbitrary: ask(
      'path',
      fc.oneof(
        by('is', pick(...PATHS)),
        by('in', some(PATHS)),
        by('starts', pick('/', '/a', '/a/', '/b')),
        by('like', pick(...TEMPLATES)),
        by('matches', pick(...REGEXES)),
      ),
    ),
  },
  ask('query.q', text),
  ask('header.x-who', text),
  ask('host', by('in', some(['orders', 'other:80']))),
  ask('protocol', by('is', pick('h2', 'http/1.1'))),
  ask('size', fc.oneof(numbers(10, 1000), exists)),
  ask(
    'source',
    fc.oneof(by('cidr', fc.oneof(pick(...NETWORKS), some(NETWORKS))), by('is', pick('10.1.2.3'))),
  ),
  ask('edge', by('is', fc.boolean())),
  ask('time', fc.oneof(by('before', pick(...TIMES)), by('after', pick(...TIMES)), by('between', window))),
  ask('risk', numbers(20, 80)),
  ask(
    'relation',
    by(
      'knows',
      fc.tuple(reference, reference).map((names) => names.map((name) => `{${name}}`)),
    ),
  ),
  // the owner
  pick({ all: [{ path: { like: '/a/{id}' } }, { 'user.subject': { is: '{path.id}' } }] }),
);

const condition: fc.Arbitrary<object> = fc.letrec<{ when: object }>((tie) => ({
  when: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 4, arbitrary: predicate },
    { weight: 2, arbitrary: fc.array(tie('when'), { minLength: 1, maxLength: 3 }).map((all) => ({ all })) },
    { weight: 2, arbitrary: fc.array(tie('when'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })) },
    { weight: 1, arbitrary: tie('when').map((not) => ({ not })) },
  ),
})).when;

/** Rules of different names. */
export const rules: fc.Arbitrary<PlainRule[]> = fc
  .array(
    fc.record({
      level: pick('root', 'business-unit', 'application'),
      effect: pick('allow', 'allow', 'deny'),
      mode: pick('enforce', 'enforce', 'enforce', 'dry-run'),
      when: condition,
    }),
    { maxLength: 8 },
  )
  .map((all) => all.map((rule, i) => ({ name: `r${i}`, ...rule }) as PlainRule));

const user = fc.record(
  {
    subject: pick(...WORDS),
    scopes: fc.subarray(WORDS),
    roles: fc.subarray(WORDS),
    acr: pick('mfa', 'pwd', null),
    authTime: pick(-30, -300, 0, 5),
    issuedAt: pick(-30, -3000),
    claims: fc.record(
      {
        t: fc.oneof(pick(...WORDS), fc.subarray(WORDS)),
        l: fc.oneof(pick(...WORDS), fc.subarray(WORDS)),
        n: pick(1, 2, 3),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['subject'] },
);

export const request: fc.Arbitrary<PolicyRequest> = fc
  .record({
    caller: pick(...ANYBODY),
    method: pick('GET', 'PUT', 'POST', 'X'),
    path: pick(...PATHS, '*'),
    now: pick(...TIMES, '2026-07-03T23:30:00Z', '2026-07-05T06:00:00Z'),
    user: fc.option(user, { nil: undefined }),
    facts: fc.record(
      {
        query: pick('', 'q=alice', 'q=bob&q=alice', 'x=1&q=j%C3%BC', 'q='),
        headers: pick({}, { 'x-who': 'alice' }, { 'x-who': 'web' }),
        protocol: pick('h2', 'http/1.1', 'tcp'),
        size: pick(null, 0, 100, 5000),
        source: pick('10.1.2.3', '192.0.2.1', '2001:db8::5', 'fd80::1', null),
        edge: fc.boolean(),
        risk: pick(0, 20, 50, 90),
        chain: fc.subarray(CALLERS),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ user, ...rest }) => requestFrom(user === undefined ? rest : { ...rest, user }));
