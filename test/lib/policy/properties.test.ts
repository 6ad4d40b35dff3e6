import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type CompiledPolicy,
  compilePolicies,
  type Decision,
  evaluate,
  explain,
  headingOf,
  readPolicies,
  separateDocuments,
} from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { NAMES, request, rules } from './arbitraries.ts';
import { type PlainRule, plainDecision, plainlyMatches } from './reference.ts';
import { TARGET } from './support.ts';

const RUNS = Number(process.env['SIGNET_POLICY_RUNS'] ?? 600);
const options = { numRuns: RUNS, seed: 5 };

async function compiled(all: readonly PlainRule[]): Promise<CompiledPolicy> {
  const text = JSON.stringify({ ...NAMES, policies: all.map((rule) => ({ ...rule, target: TARGET })) });
  return compilePolicies(await readPolicies([{ file: 'f', text }]), parseSpiffeId(TARGET));
}

function shown({ effect, rule, dryRun, wouldBe }: Decision): string {
  return `${effect} ${rule ?? '-'} [${dryRun.map((hit) => hit.rule)}] ${wouldBe}`;
}

describe('policy, whatever the documents and the request', () => {
  it('is judged as the plainest reading of the language would, and explained so', async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(rules, fc.array(request, { minLength: 10, maxLength: 10 }), async (all, requests) => {
        const policy = await compiled(all);
        for (const each of requests) {
          const decision = evaluate(policy, each);
          assert.equal(shown(decision), plainDecision(all, NAMES, each));
          const explained = explain(policy, each);
          assert.deepEqual(explained.decision, decision);
          assert.deepEqual(
            explained.considered
              .filter(({ matched }) => matched)
              .map(({ rule }) => rule)
              .sort(),
            all.filter((rule) => plainlyMatches(rule, NAMES, each)).map(({ name }) => name),
          );
          for (const { unmet, checks } of explained.considered)
            assert.ok(unmet.every((check) => !check.ok && checks.includes(check)));
          const outcome = `${each.caller === 'anonymous' ? 'anonymous ' : ''}${decision.effect}${decision.rule === null ? '' : ' by rule'}`;
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
      }),
      options,
    );
    for (const outcome of [
      'allow by rule',
      'deny',
      'deny by rule',
      'anonymous allow by rule',
      'anonymous deny by rule',
    ])
      assert.ok((outcomes.get(outcome) ?? 0) > RUNS / 20, JSON.stringify([...outcomes]));
  });

  it('the order of documents never matters', async () => {
    await fc.assert(
      fc.asyncProperty(rules, request, fc.infiniteStream(fc.nat()), async (all, each, random) => {
        const shuffled = all
          .map((rule) => ({ rule, key: random.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ rule }) => rule);
        const [one, other] = [await compiled(all), await compiled(shuffled)];
        assert.equal(other.digest, one.digest);
        assert.deepEqual(evaluate(other, each), evaluate(one, each));
      }),
      options,
    );
  });

  it('documents that go separate ways, each with the sets it needs, come together as they were', async () => {
    await fc.assert(
      fc.asyncProperty(rules, request, async (all, each) => {
        const policies = all.map((rule) => ({ $schema: 'x', ...rule, target: TARGET }));
        const files = [{ ...NAMES, policies: policies.slice(1) }, { ...NAMES }, policies.slice(0, 1)];
        const sources = files.map((file, i) => ({ file: `${i}`, text: JSON.stringify(file) }));
        const separate = separateDocuments(sources);
        for (const { name, target, level, text } of separate) {
          assert.equal((await readPolicies([{ file: 'f', text }])).length, 1);
          assert.deepEqual(headingOf(text), { ...headingOf(text), name, target, level });
        }
        const texts = separate.map(({ name, text }) => ({ file: name, text }));
        const other = compilePolicies(await readPolicies(texts), parseSpiffeId(TARGET));
        const one = await compiled(all);
        assert.equal(other.digest, one.digest);
        assert.deepEqual(evaluate(other, each), evaluate(one, each));
      }),
      options,
    );
  });

  it('what a root deny refuses, nothing below it allows', async () => {
    await fc.assert(
      fc.asyncProperty(rules, rules, request, async (above, below, each) => {
        const denies = above.map(
          (rule) => ({ ...rule, level: 'root', effect: 'deny', mode: 'enforce' }) as const,
        );
        if (evaluate(await compiled(denies), each).rule === null) return;
        const more = below.map((rule) => ({ ...rule, name: `below-${rule.name}` }));
        const decision = evaluate(await compiled([...denies, ...more]), each);
        assert.equal(decision.effect, 'deny');
        assert.equal(decision.effect === 'deny' && decision.level, 'root');
      }),
      options,
    );
  });

  it('an allow that is added never turns an allow into a deny, nor a deny that is added a deny into an allow', async () => {
    await fc.assert(
      fc.asyncProperty(rules, rules, request, async (all, added, each) => {
        const before = evaluate(await compiled(all), each);
        const more = added.map((rule) => ({ ...rule, name: `added-${rule.name}`, effect: before.effect }));
        assert.equal(evaluate(await compiled([...all, ...more]), each).effect, before.effect);
      }),
      options,
    );
  });

  it('dry-run never changes what is decided', async () => {
    await fc.assert(
      fc.asyncProperty(rules, rules, request, async (all, added, each) => {
        const dry = added.map((rule) => ({ ...rule, name: `dry-${rule.name}`, mode: 'dry-run' }));
        const { effect, rule } = evaluate(await compiled([...all, ...dry]), each);
        const before = evaluate(await compiled(all), each);
        assert.deepEqual([effect, rule], [before.effect, before.rule]);
      }),
      options,
    );
  });
});
