import assert from 'node:assert/strict';
import { parsePolicies } from '../../../../lib/policy/index.ts';
import { reviewPolicies } from '../../../../lib/policy/review/index.ts';

const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const NOW = new Date('2026-03-02T10:00:00Z');
const base = { level: 'application', target: TARGET, effect: 'allow', mode: 'enforce' };

function warnings(...rules: readonly object[]): string[] {
  const text = JSON.stringify(rules.map((rule, i) => ({ ...base, name: `r${i}`, ...rule })));
  return reviewPolicies(parsePolicies([{ file: 'f', text }]), NOW).map(
    ({ rule, message }) => `${rule} ${message}`,
  );
}
const all = (...conditions: readonly object[]) => ({ when: { all: conditions } });

describe('rules that do nothing', () => {
  for (const [what, rule, message] of [
    ['two methods at once', all({ method: { is: 'GET' } }, { method: { in: ['PUT', 'POST'] } }), 'method'],
    ['a path and its opposite', all({ path: { is: '/a' } }, { not: { path: { starts: '/a' } } }), 'path'],
    [
      'a path beside its template',
      all({ path: { is: '/a' } }, { all: [{ path: { like: '/a/{b}' } }] }),
      'path',
    ],
    [
      'nobody of a trust domain',
      all({ caller: { is: 'anonymous' } }, { 'caller.trust_domain': { is: 'a' } }),
      'caller',
    ],
    [
      'a caller of another namespace',
      all({ caller: { in: [WEB] } }, { 'caller.ns': { is: 'stock' } }),
      'caller',
    ],
    ['a risk below and above', all({ risk: { below: 40 } }, { risk: { above: 40 } }), 'risk'],
    ['a user who is not there', all({ user: { exists: false } }, { 'user.role': { has: 'a' } }), 'user'],
    [
      'an end before the beginning',
      all({ time: { after: '2026-04-02T10:00:00Z' } }, { time: { before: '2026-04-02T10:00:00Z' } }),
      'ends before it begins',
    ],
    [
      'one that is over',
      all({ time: { before: '2026-03-02T10:00:00Z' } }),
      'ended at 2026-03-02T10:00:00.000Z',
    ],
  ] as const) {
    it(`never match: ${what}, whatever the effect`, () => {
      for (const effect of ['allow', 'deny']) {
        const [found, ...more] = warnings({ ...rule, effect });
        assert.ok(found?.startsWith('r0 matches no request') && found.includes(message), String(found));
        assert.deepEqual(more, []);
      }
    });
  }

  for (const [what, rule] of [
    ['either of two methods', { when: { any: [{ method: { is: 'GET' } }, { method: { is: 'PUT' } }] } }],
    ['a path and the start of it', all({ path: { in: ['/a', '/b'] } }, { path: { starts: '/b' } })],
    ['a caller of a pattern', all({ caller: { is: WEB } }, { caller: { like: 'spiffe://example.org/**' } })],
    ['a range', all({ risk: { above: 20 } }, { risk: { below: 40 } })],
    ['one that is not over', all({ time: { before: '2026-03-02T10:00:01Z' } })],
    [
      'the user compared with the path',
      all({ path: { is: '/a' } }, { 'user.subject': { is: '{header.x}' } }),
    ],
  ] as const) {
    it(`may match: ${what}`, () => assert.deepEqual(warnings(rule), []));
  }

  const get = { method: { is: 'GET' } };
  const path = { path: { is: '/a' } };
  for (const [what, rules, want] of [
    [
      'a deny that asks less',
      [all(get, path), { effect: 'deny', when: path }],
      ['r0 allows nothing: r1 denies all of it'],
    ],
    [
      'a deny of more values',
      [all(get), { effect: 'deny', when: { method: { in: ['GET', 'PUT'] } } }],
      ['r0 allows nothing: r1 denies all of it'],
    ],
    [
      'an allow of a higher level that asks less',
      [all(get, path), { level: 'root', when: get }],
      ['r0 decides nothing: r1 decides it first'],
    ],
    [
      'an allow of the same level, by its name',
      [{ when: get }, all(get, path)],
      ['r1 decides nothing: r0 decides it first'],
    ],
    ['a deny in dry-run', [all(get, path), { effect: 'deny', mode: 'dry-run', when: path }], []],
    [
      'in dry-run itself',
      [
        { ...all(get, path), mode: 'dry-run' },
        { effect: 'deny', when: path },
      ],
      [],
    ],
    [
      'a deny that asks for something else',
      [all(get, path), { effect: 'deny', when: { path: { is: '/b' } } }],
      [],
    ],
    ['an allow of a lower level', [all(get, path), { level: 'application', name: 'z', when: get }], []],
    [
      'an allow that does not name anonymous callers as this one does',
      [all({ caller: { in: ['anonymous', WEB] } }, get), { level: 'root', when: get }],
      [],
    ],
    ['a deny of another service', [all(get, path), { effect: 'deny', target: WEB, when: path }], []],
  ] as const) {
    it(`shadowed: ${what}`, () => assert.deepEqual(warnings(...rules), want));
  }
});
