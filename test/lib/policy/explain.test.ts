import assert from 'node:assert/strict';
import { compilePolicies, explain, parseCaller, parsePolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';

const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const read = {
  name: 'read',
  level: 'application',
  effect: 'allow',
  mode: 'enforce',
  when: {
    all: [{ caller: { is: WEB } }, { method: { in: ['GET', 'HEAD'] } }, { path: { like: '/orders/{id}' } }],
  },
};
const write = {
  ...read,
  name: 'write',
  when: { all: [{ method: { is: 'POST' } }, { path: { is: '/orders' } }] },
};
const noStock = {
  ...read,
  name: 'no-stock',
  level: 'root',
  effect: 'deny',
  when: { not: { any: [{ caller: { is: WEB } }, { path: { starts: '/open' } }] } },
};
const draft = { ...read, name: 'draft', mode: 'dry-run', when: { path: { starts: '/drafts' } } };

function explained(rules: readonly object[], method: string, path: string, caller = WEB) {
  const text = JSON.stringify(rules.map((rule) => ({ ...rule, target: TARGET })));
  const policy = compilePolicies(parsePolicies([{ file: 'f', text }]), parseSpiffeId(TARGET));
  return explain(policy, { caller: parseCaller(caller), method, path });
}

describe('policy explanation', () => {
  it('names the rule that came nearest, and what it compared with what', () => {
    const { decision, nearest, considered } = explained([write, read, noStock, draft], 'DELETE', '/orders/7');
    assert.equal(decision.effect, 'deny');
    assert.equal(nearest?.rule, 'read');
    assert.deepEqual(nearest?.unmet, [
      {
        pointer: '/when/all/1/method/in',
        attribute: 'method',
        operator: 'in',
        negated: false,
        wanted: ['GET', 'HEAD'],
        found: 'DELETE',
        ok: false,
      },
    ]);
    assert.deepEqual(
      nearest?.checks.map((check) => check.ok),
      [true, false, true],
    );
    assert.deepEqual(
      considered.map(({ rule, unmet }) => [rule, unmet.length]),
      [
        ['no-stock', 1],
        ['draft', 1],
        ['read', 1],
        ['write', 2],
      ],
    );
  });

  it('has no nearest rule when a rule decided, or when nothing allows', () => {
    assert.equal(explained([read], 'GET', '/orders/7').nearest, null);
    assert.equal(explained([read, noStock], 'GET', '/orders/7', 'spiffe://example.org/x').nearest, null);
    assert.equal(explained([noStock, draft], 'GET', '/x').nearest, null);
    assert.equal(explained([], 'GET', '/x').nearest, null);
  });

  it('turns comparisons round below not', () => {
    const { considered } = explained([noStock], 'GET', '/open/x');
    assert.deepEqual(
      considered[0]?.checks.map(({ pointer, negated, ok }) => [pointer, negated, ok]),
      [
        ['/when/not/any/0/caller/is', true, false],
        ['/when/not/any/1/path/starts', true, false],
      ],
    );
    assert.equal(considered[0]?.unmet.length, 2);
    const denied = explained([noStock], 'GET', '/x', 'spiffe://example.org/x');
    assert.deepEqual(
      denied.considered[0]?.checks.map(({ ok }) => ok),
      [true, true],
    );
    assert.equal(denied.decision.rule, 'no-stock');
  });

  it('of several ways to match, tells the one that lacks least', () => {
    const either = {
      ...read,
      name: 'either',
      when: { any: [read.when, write.when, { all: [{ method: { is: 'PUT' } }, { path: { is: '/x' } }] }] },
    };
    const { nearest } = explained([either], 'POST', '/y');
    assert.deepEqual(
      nearest?.unmet.map(({ pointer }) => pointer),
      ['/when/any/1/all/1/path/is'],
    );
    assert.equal(nearest?.checks.length, 7);
  });

  it('says of an anonymous caller when a rule fits but does not name it', () => {
    const open = { ...read, name: 'open', when: { path: { starts: '/' } } };
    const health = {
      ...read,
      name: 'health',
      when: {
        any: [
          { all: [{ caller: { is: 'anonymous' } }, { path: { is: '/health' } }] },
          { path: { starts: '/admin' } },
        ],
      },
    };
    const { nearest, text } = explained([open], 'GET', '/x', 'anonymous');
    assert.deepEqual(
      nearest?.checks.map(({ pointer, operator, ok }) => [pointer, operator, ok]),
      [
        ['/when/path/starts', 'starts', true],
        ['/when', 'named', false],
      ],
    );
    assert.match(text, /^ {2}caller anonymous$/m);
    assert.match(text, /^ {2}caller named "anonymous", found "no condition that holds and names it"$/m);
    const unmet = (path: string) =>
      explained([health], 'GET', path, 'anonymous').considered[0]?.unmet.map(({ pointer }) => pointer);
    assert.deepEqual(unmet('/health'), []);
    assert.deepEqual(unmet('/admin'), ['/when']);
    assert.deepEqual(unmet('/x'), ['/when/any/0/all/1/path/is']);
    const denied = explained([noStock], 'GET', '/x', 'anonymous');
    assert.deepEqual([denied.decision.rule, denied.considered[0]?.unmet], ['no-stock', []]);
  });

  it('reads as text', () => {
    assert.equal(
      explained([read, draft], 'PUT', '/drafts/7').text,
      [
        'denied: no rule allows it',
        `  caller ${WEB}`,
        '  PUT /drafts/7',
        'with dry-run rules enforced: allowed',
        'nearest rule read (application, allow), which does not match because',
        '  method in ["GET","HEAD"], found "PUT"',
        '  path like "/orders/{id}", found "/drafts/7"',
        'matched: draft (application, allow, dry-run)',
        '  + path starts "/drafts", found "/drafts/7"',
        'did not match: read (application, allow)',
        `  + caller is "${WEB}", found "${WEB}"`,
        '  - method in ["GET","HEAD"], found "PUT"',
        '  - path like "/orders/{id}", found "/drafts/7"',
      ].join('\n'),
    );
    assert.match(
      explained([], 'GET', '/').text,
      /^denied: no rule allows it\n.*\n.*\nno rule is for this target$/,
    );
    assert.match(explained([read], 'GET', '/orders/7').text, /^allowed by read \(application\)\n/);
    assert.match(
      explained([noStock], 'GET', '/x', 'spiffe://example.org/x').text,
      /^denied by no-stock \(root\)\n[\s\S]*caller not is /,
    );
  });
});
