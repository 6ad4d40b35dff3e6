import assert from 'node:assert/strict';
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { compilePolicies, evaluate, parsePolicies } from '../../lib/policy/index.ts';
import { matchesPattern, parseIdPattern, parseSpiffeId } from '../../lib/spiffe/index.ts';
import { seededRandom } from '../support/der.ts';
import { cedarPolicy, type Rule, type Sets } from './cedar/language.ts';
import {
  drawing,
  type RandomRequest,
  randomRequest,
  randomRules,
  randomSets,
  TARGET,
} from './cedar/random.ts';
import { ours, theirs } from './cedar/requests.ts';

const SEED = Number(process.env['SIGNET_SEED'] ?? 20_261_125);
const SETS = 1_000;
const REQUESTS = 52;
const LEVELS = ['root', 'business-unit', 'application'];
const target = parseSpiffeId(TARGET);

/** Another engine, by other authors, in another language, asked the same. */
describe('policy decisions against Cedar', () => {
  it(`agree on ${SETS * REQUESTS} random requests of ${SETS} random sets, seed ${SEED}`, function () {
    this.timeout(300_000);
    const draw = drawing(seededRandom(SEED));
    const outcomes = new Map<string, number>();
    for (let set = 0; set < SETS; set++) {
      const [rules, sets] = [randomRules(draw), randomSets(draw)];
      const text = JSON.stringify({ sets, policies: rules });
      const policy = compilePolicies(parsePolicies([{ file: 'f', text }]), target);
      const enforced = cedar(
        'enforced',
        rules.filter(({ mode }) => mode === 'enforce'),
        sets,
      );
      const all = rules.some(({ mode }) => mode === 'dry-run') ? cedar('all', rules, sets) : null;
      for (let i = 0; i < REQUESTS; i++) {
        const asked = randomRequest(draw);
        const { effect, rule, wouldBe } = evaluate(policy, ours(asked));
        const answer = enforced(asked);
        const expected = { ...answer, wouldBe: (all === null ? answer : all(asked)).effect };
        assert.deepEqual(
          { effect, rule, wouldBe },
          expected,
          JSON.stringify({ seed: SEED, set, found: { effect, rule, wouldBe }, expected, asked, sets, rules }),
        );
        const outcome = `${effect}${rule === null ? ' for want of a rule' : ''}`;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    }
    assert.ok(
      ['allow', 'deny', 'deny for want of a rule'].every((outcome) => (outcomes.get(outcome) ?? 0) > 5_000),
      JSON.stringify([...outcomes]),
    );
  });
});

type Answer = { readonly effect: 'allow' | 'deny'; readonly rule: string | null };

/** What Cedar says of a set: its effect, and of the policies that it gives as reasons the one that ours would name. */
function cedar(name: string, rules: readonly Rule[], sets: Sets): (asked: RandomRequest) => Answer {
  const staticPolicies = Object.fromEntries(
    rules.map((rule) => [rule.name, cedarPolicy(rule, sets, isForTarget)]),
  );
  const parsed = preparsePolicySet(name, { staticPolicies });
  assert.equal(parsed.type, 'success', JSON.stringify({ parsed, staticPolicies }));
  const strength = new Map(
    rules
      .toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || (a.name < b.name ? -1 : 1))
      .map((rule, rank) => [rule.name, rank]),
  );
  return (asked) => {
    const answer = statefulIsAuthorized({
      principal: { type: 'C', id: asked.caller },
      action: { type: 'Action', id: asked.method },
      resource: { type: 'S', id: TARGET },
      context: theirs(asked),
      entities: [],
      preparsedPolicySetId: name,
    });
    if (answer.type === 'failure') return assert.fail(JSON.stringify(answer.errors));
    const { decision, diagnostics } = answer.response;
    assert.deepEqual(diagnostics.errors, [], JSON.stringify(staticPolicies));
    const [rule = null] = diagnostics.reason.toSorted((a, b) => strength.get(a)! - strength.get(b)!);
    return { effect: decision, rule };
  };
}

function isForTarget(text: string): boolean {
  return text.includes('*') ? matchesPattern(parseIdPattern(text), target) : text === TARGET;
}
