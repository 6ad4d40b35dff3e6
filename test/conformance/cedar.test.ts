import assert from 'node:assert/strict';
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { compilePolicies, evaluate, parseCaller, parsePolicies } from '../../lib/policy/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { seededRandom } from '../support/der.ts';
import { cedarPolicy, type Rule } from './cedar/language.ts';
import { drawing, type RandomRequest, randomRequest, randomRules, TARGET } from './cedar/random.ts';

const SEED = Number(process.env['SIGNET_SEED'] ?? 20_261_125);
const SETS = 600;
const REQUESTS = 100;
const LEVELS = ['root', 'business-unit', 'application'];

/** Another engine, by other authors, in another language, asked the same. */
describe('policy decisions against Cedar', () => {
  it(`agree on ${SETS * REQUESTS} random requests of ${SETS} random sets, seed ${SEED}`, function () {
    this.timeout(180_000);
    const draw = drawing(seededRandom(SEED));
    const outcomes = new Map<string, number>();
    for (let set = 0; set < SETS; set++) {
      const rules = randomRules(draw);
      const policy = compilePolicies(
        parsePolicies([{ file: 'f', text: JSON.stringify(rules) }]),
        parseSpiffeId(TARGET),
      );
      const enforced = cedar(
        'enforced',
        rules.filter(({ mode }) => mode === 'enforce'),
      );
      const all = cedar('all', rules);
      for (let i = 0; i < REQUESTS; i++) {
        const asked = randomRequest(draw);
        const { caller, method, path } = asked;
        const decision = evaluate(policy, { caller: parseCaller(caller), method, path });
        const { effect, rule, wouldBe } = decision;
        const theirs = enforced(asked);
        assert.deepEqual(
          { effect, rule, wouldBe },
          { ...theirs, wouldBe: all(asked).effect },
          JSON.stringify({ seed: SEED, set, asked, rules }),
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
function cedar(name: string, rules: readonly Rule[]): (asked: RandomRequest) => Answer {
  const staticPolicies = Object.fromEntries(rules.map((rule) => [rule.name, cedarPolicy(rule)]));
  const parsed = preparsePolicySet(name, { staticPolicies });
  assert.equal(parsed.type, 'success', JSON.stringify({ parsed, staticPolicies }));
  const strength = new Map(
    rules
      .toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || (a.name < b.name ? -1 : 1))
      .map((rule, rank) => [rule.name, rank]),
  );
  return ({ caller, method, path }) => {
    const [domain, ...segments] = caller.slice('spiffe://'.length).split('/');
    const answer = statefulIsAuthorized({
      principal: { type: 'C', id: caller },
      action: { type: 'Action', id: method },
      resource: { type: 'S', id: TARGET },
      context: {
        path,
        id: { domain: domain!, ...numbered(segments) },
        segments: numbered(path.slice(1).split('/')),
      },
      entities: [],
      preparsedPolicySetId: name,
    });
    if (answer.type === 'failure') return assert.fail(JSON.stringify(answer.errors));
    const { decision, diagnostics } = answer.response;
    assert.deepEqual(diagnostics.errors, []);
    const [rule = null] = diagnostics.reason.toSorted((a, b) => strength.get(a)! - strength.get(b)!);
    return { effect: decision, rule };
  };
}

/** Cedar has no lists. */
function numbered(segments: readonly string[]): Record<string, string | number> {
  return { n: segments.length, ...Object.fromEntries(segments.map((segment, i) => [`s${i}`, segment])) };
}
