import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  type CompiledPolicy,
  compilePolicies,
  type Decision,
  evaluate,
  explain,
  type PolicyRequest,
  parseCaller,
  parsePolicies,
} from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { seededRandom } from '../../support/der.ts';

type Row = readonly [caller: string, method: string, path: string, want: string];
type Vectors = {
  readonly target: string;
  readonly callers: Readonly<Record<string, string>>;
  readonly sets: readonly {
    readonly what: string;
    readonly rules: readonly Rule[];
    readonly requests: readonly Row[];
  }[];
};
type Rule = { readonly name: string; readonly when: unknown } & Readonly<Record<string, unknown>>;

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../vectors/policy/decisions.json', import.meta.url), 'utf8'),
);
const target = parseSpiffeId(vectors.target);
const DEFAULTS = { level: 'application', target: vectors.target, effect: 'allow', mode: 'enforce' };

function compiled(rules: readonly Rule[]): CompiledPolicy {
  const text = JSON.stringify(rules.map((rule) => ({ ...DEFAULTS, ...rule })));
  return compilePolicies(parsePolicies([{ file: 'f', text }]), target);
}

/** `allow read`, `deny -`, `deny x; dry-run a b; would allow` */
function shown({ effect, rule, dryRun, wouldBe }: Decision): string {
  const hits = dryRun.length === 0 ? '' : `; dry-run ${dryRun.map((hit) => hit.rule).join(' ')}`;
  return `${effect} ${rule ?? '-'}${hits}${wouldBe === effect ? '' : `; would ${wouldBe}`}`;
}

describe('policy decisions', () => {
  assert.deepEqual(Object.keys(vectors), ['target', 'callers', 'sets']);
  for (const { what, rules, requests, ...unknown } of vectors.sets) {
    assert.deepEqual(unknown, {});
    describe(what, () => {
      for (const [caller, method, path, want] of requests) {
        it(`${caller} ${method} ${path}: ${want}`, () => {
          const request = { caller: parseCaller(vectors.callers[caller] ?? caller), method, path };
          const decision = evaluate(compiled(rules), request);
          assert.equal(shown(decision), want);
          assert.equal(shown(evaluate(compiled(rules.toReversed()), request)), want, 'in another order');
          const explained = explain(compiled(rules), request);
          assert.deepEqual(explained.decision, decision);
          for (const { matched, unmet, checks } of explained.considered) {
            assert.equal(matched, unmet.length === 0);
            assert.ok(unmet.every((check) => !check.ok && checks.includes(check)));
          }
        });
      }
    });
  }

  it('gives its evidence: what decided, or that nothing did', () => {
    const policy = compiled([{ name: 'no', effect: 'deny', level: 'root', when: { method: { is: 'GET' } } }]);
    const caller = parseSpiffeId(vectors.callers['web']!);
    assert.deepEqual(evaluate(policy, { caller, method: 'GET', path: '/' }), {
      effect: 'deny',
      code: 'policy_denied',
      rule: 'no',
      level: 'root',
      dryRun: [],
      wouldBe: 'deny',
    });
    const permissive = compiled([{ name: 'yes', level: 'business-unit', when: { method: { is: 'GET' } } }]);
    assert.deepEqual(evaluate(permissive, { caller, method: 'GET', path: '/' }), {
      effect: 'allow',
      rule: 'yes',
      level: 'business-unit',
      dryRun: [],
      wouldBe: 'allow',
    });
    assert.deepEqual(evaluate(policy, { caller, method: 'PUT', path: '/' }), {
      effect: 'deny',
      code: 'no_rule',
      rule: null,
      level: null,
      dryRun: [],
      wouldBe: 'deny',
    });
  });

  it('has a digest that changes with the rules of the target and with nothing else', () => {
    const [a, b] = [
      { name: 'a', when: { method: { is: 'GET' } } },
      { name: 'b', when: { method: { is: 'PUT' } } },
    ] as const;
    const foreign = { ...a, target: 'spiffe://example.org/x' };
    const { digest, size } = compiled([a, b]);
    assert.match(digest, /^[0-9a-f]{64}$/);
    assert.equal(size, 2);
    assert.equal(compiled([b, foreign, a]).digest, digest);
    for (const other of [
      [a],
      [a, { ...b, mode: 'dry-run' }],
      [a, { ...b, when: { method: { in: ['PUT'] } } }],
      [],
    ]) {
      assert.notEqual(compiled(other).digest, digest);
    }
  });
});

/**
 * The index decides which rules are looked at. Against it stands the plainest reading of the language: every rule judged, no index, no
 * compilation.
 */
describe('the index', () => {
  it('never changes a decision: 30,000 random requests on 300 random sets', () => {
    const random = seededRandom(5);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const callers = [...Object.values(vectors.callers), 'anonymous', 'anonymous'];
    const methods = ['GET', 'PUT', 'POST'];
    const paths = ['/', '/a', '/a/', '/a/b', '/a/b/c', '/b', '/b/b', '/a/b/', '/c/a'];
    const templates = [...paths, '/{x}', '/a/{x}', '/{x}/b', '/{x}/{y}/{z}', '/a/{x}/'];
    const some = <T>(list: readonly T[]) =>
      Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(list));
    const predicates: (() => unknown)[] = [
      () => ({ caller: { is: pick(callers) } }),
      () => ({ caller: { in: some(callers) } }),
      () => ({
        caller: {
          like: pick([
            'spiffe://example.org/ns/*/sa/web',
            'spiffe://example.org/ns/**',
            'spiffe://example.com/**',
          ]),
        },
      }),
      () => ({ 'caller.trust_domain': { is: pick(['example.org', 'example.com']) } }),
      () => ({ method: { is: pick(methods) } }),
      () => ({ method: { in: some(methods) } }),
      () => ({ path: { is: pick(paths) } }),
      () => ({ path: { in: some(paths) } }),
      () => ({ path: { starts: pick(paths) } }),
      () => ({ path: { like: pick(templates) } }),
    ];
    const condition = (depth: number): unknown => {
      const kind = depth === 0 ? 1 : random();
      if (kind < 0.3) return { all: some([0, 1, 2]).map(() => condition(depth - 1)) };
      if (kind < 0.55) return { any: some([0, 1, 2]).map(() => condition(depth - 1)) };
      if (kind < 0.65) return { not: condition(depth - 1) };
      return pick(predicates)();
    };
    const outcomes = new Map<string, number>();
    for (let set = 0; set < 300; set++) {
      const rules = Array.from({ length: Math.floor(random() * 12) }, (_, i) => ({
        name: `r${i}`,
        level: pick(['root', 'business-unit', 'application']),
        effect: pick(['allow', 'allow', 'deny']),
        mode: pick(['enforce', 'enforce', 'dry-run']),
        when: condition(3),
      }));
      const policy = compiled(rules);
      for (let i = 0; i < 100; i++) {
        const request = {
          caller: parseCaller(pick(callers)),
          method: pick([...methods, 'X']),
          path: pick([...paths, '*', '/z']),
        };
        const decision = evaluate(policy, request);
        assert.equal(shown(decision), plainly(rules, request), JSON.stringify({ rules, request }));
        const outcome = `${request.caller === 'anonymous' ? 'anonymous ' : ''}${decision.effect}`;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        const explained = explain(policy, request);
        assert.deepEqual(explained.decision, decision);
        assert.deepEqual(
          explained.considered
            .filter(({ matched }) => matched)
            .map(({ rule }) => rule)
            .sort(),
          rules
            .filter((rule) => matches(rule, request))
            .map(({ name }) => name)
            .sort(),
        );
      }
    }
    const counts = ['allow', 'deny', 'anonymous allow', 'anonymous deny'].map((outcome) =>
      outcomes.get(outcome),
    );
    assert.ok(
      counts.every((count = 0) => count > 500),
      JSON.stringify([...outcomes]),
    );
  });
});

type PlainRule = { name: string; level: string; effect: string; mode: string; when: unknown };

function plainly(rules: readonly PlainRule[], request: PolicyRequest): string {
  const levels = ['root', 'business-unit', 'application'];
  const matched = rules
    .filter((rule) => matches(rule, request))
    .sort((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level) || (a.name < b.name ? -1 : 1));
  const by = (effect: string, modes: string[]) =>
    matched.find((rule) => rule.effect === effect && modes.includes(rule.mode));
  const deciding = by('deny', ['enforce']) ?? by('allow', ['enforce']);
  const would = (by('deny', ['enforce', 'dry-run']) ?? by('allow', ['enforce', 'dry-run']))?.effect ?? 'deny';
  const effect = deciding?.effect ?? 'deny';
  const hits = matched.filter(({ mode }) => mode === 'dry-run').map(({ name }) => name);
  return `${effect} ${deciding?.name ?? '-'}${hits.length === 0 ? '' : `; dry-run ${hits.join(' ')}`}${would === effect ? '' : `; would ${would}`}`;
}

function matches({ effect, when }: Pick<PlainRule, 'effect' | 'when'>, request: PolicyRequest): boolean {
  if (effect === 'deny' || request.caller !== 'anonymous')
    return holds(when as Record<string, never>, request);
  return ways(when as Record<string, never>, false).some(
    (way) =>
      way.every(
        ({ predicate, negated }) =>
          // nobody has no trust domain, and an allow does not hold for want of one
          holds(predicate, request) !== negated && !(negated && 'caller.trust_domain' in predicate),
      ) &&
      way.some(
        ({ predicate, negated }) => !negated && /"caller":.*"anonymous"/.test(JSON.stringify(predicate)),
      ),
  );
}

type Literal = { readonly predicate: Record<string, never>; readonly negated: boolean };

/** Every way in which a condition can hold: comparisons that have to come true together (the disjunctive normal form). */
function ways(when: Record<string, never>, negated: boolean): Literal[][] {
  const [[key, value]] = Object.entries(when) as [[string, never]];
  if (key === 'not') return ways(value, !negated);
  if (key !== 'all' && key !== 'any') return [[{ predicate: when, negated }]];
  const branches = (value as Record<string, never>[]).map((inner) => ways(inner, negated));
  if ((key === 'any') !== negated) return branches.flat();
  return branches.reduce((sofar, branch) => sofar.flatMap((a) => branch.map((b) => [...a, ...b])), [[]]);
}

function holds(when: Record<string, never>, request: PolicyRequest): boolean {
  const [[key, value]] = Object.entries(when) as [[string, never]];
  if (key === 'all') return (value as never[]).every((inner) => holds(inner, request));
  if (key === 'any') return (value as never[]).some((inner) => holds(inner, request));
  if (key === 'not') return !holds(value, request);
  const caller = request.caller.toString();
  const found = {
    caller,
    'caller.trust_domain': caller.split('/')[2] ?? 'none: no trust domain',
    method: request.method,
    path: request.path,
  }[key];
  const [[operator, operand]] = Object.entries(value) as [[string, string]];
  if (operator === 'is') return found === operand;
  if (operator === 'in') return operand.includes(found as string);
  if (operator === 'starts')
    return operand.endsWith('/') ? found!.startsWith(operand) : `${found}/`.startsWith(`${operand}/`);
  const pattern = operand
    .replace(/[.]/g, '\\.')
    .replace(/\*\*$/, '.+')
    .replace(/\*/g, '[^/]+')
    .replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`).test(found!);
}
