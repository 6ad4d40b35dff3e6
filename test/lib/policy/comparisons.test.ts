import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { compilePolicies, evaluate, explain, readPolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { type PlainFacts, requestFrom, TARGET } from './support.ts';

/** Whether a rule of this condition holds for the request, as an allow and as a deny. */
type Case = PlainFacts & {
  readonly what: string;
  readonly when: unknown;
  readonly sets?: unknown;
  readonly relations?: unknown;
  readonly caller?: string;
  readonly method?: string;
  readonly path?: string;
  readonly allow: boolean;
  readonly deny: boolean;
};

const KNOWN = [
  'what',
  'when',
  'sets',
  'relations',
  'caller',
  'method',
  'path',
  'now',
  'user',
  'facts',
  'allow',
  'deny',
];
const cases: Case[] = readFileSync(new URL('../../vectors/policy/comparisons.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

describe('comparisons', () => {
  for (const vector of cases) {
    const { what, when, sets = {}, relations = {}, allow, deny } = vector;
    it(`${what}: ${allow ? 'holds' : 'does not hold'}${allow === deny ? '' : ' in an allow, the opposite in a deny'}`, async () => {
      assert.deepEqual(
        Object.keys(vector).filter((key) => !KNOWN.includes(key)),
        [],
      );
      for (const [effect, want] of [
        ['allow', allow],
        ['deny', deny],
      ] as const) {
        const rule = { name: 'r', level: 'application', target: TARGET, effect, mode: 'enforce', when };
        const text = JSON.stringify({ sets, relations, policies: [rule] });
        const policy = compilePolicies(await readPolicies([{ file: 'f', text }]), parseSpiffeId(TARGET));
        const request = requestFrom(vector);
        const decision = evaluate(policy, request);
        assert.equal(decision.rule === 'r', want, `in ${effect}`);
        const explained = explain(policy, request);
        assert.deepEqual(explained.decision, decision);
        assert.equal(explained.considered[0]?.matched, want, `explained, in ${effect}`);
      }
    });
  }

  it('without facts, everything that they would tell is absent', async () => {
    for (const { what, when, sets = {}, relations = {}, path = '/' } of cases) {
      const rule = {
        name: 'r',
        level: 'application',
        target: TARGET,
        effect: 'allow',
        mode: 'enforce',
        when,
      };
      const text = JSON.stringify({ sets, relations, policies: [rule] });
      const policy = compilePolicies(await readPolicies([{ file: 'f', text }]), parseSpiffeId(TARGET));
      const { caller } = requestFrom({});
      const decision = evaluate(policy, { caller, method: 'GET', path });
      if (
        /user"|source|risk|time|query|header|host|size|edge/.test(JSON.stringify(when)) &&
        !/exists":false/.test(JSON.stringify(when))
      )
        assert.equal(decision.effect, 'deny', what);
    }
  });
});
