import assert from 'node:assert/strict';
import type { DecisionRecord } from '../../../cli/audit-records.ts';
import { asksChain, recordedRequest } from '../../../cli/policy/recorded.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { compilePolicies, evaluate, parsePolicies } from '../../../lib/policy/index.ts';
import { attributesOf } from '../../../lib/policy/review/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { createDecider } from '../../../sidecar/decide.ts';
import {
  drawing,
  NOW,
  randomRequest,
  randomRules,
  randomSets,
  TARGET,
} from '../../conformance/cedar/random.ts';
import { ours } from '../../conformance/cedar/requests.ts';
import { clock, FakeAudit } from '../../sidecar/support.ts';
import { seededRandom } from '../../support/der.ts';

const SETS = 200;
const REQUESTS = 20;
/** Never recorded: they may hold secrets. */
const UNRECORDED = /^(?:header\.|query|user\.claim)/;

describe('requests as the audit tells them', () => {
  it(`${SETS * REQUESTS} decisions of a sidecar, judged again by the same policies: as they were, or what is missing is named`, () => {
    const draw = drawing(seededRandom(7));
    const seen = { whole: 0, missing: 0 };
    for (let set = 0; set < SETS; set++) {
      const text = JSON.stringify({ sets: randomSets(draw), policies: randomRules(draw) });
      const documents = parsePolicies([{ file: 'f', text }]);
      const current = compilePolicies(documents, parseSpiffeId(TARGET));
      const unrecorded = current.documents.some(({ when }) =>
        attributesOf(when).some((attribute) => UNRECORDED.test(attribute)),
      );
      const audit = new FakeAudit();
      using decider = createDecider({ policy: { current }, audit, clock, metrics: createMetrics() });
      for (let i = 0; i < REQUESTS; i++) {
        const asked = ours(
          draw.below(10) === 0 ? { ...randomRequest(draw), user: null } : randomRequest(draw),
        );
        const { caller, method, path, facts } = asked;
        const whole = { ...facts!, assessed: facts!.risk };
        assert.ok(caller !== 'anonymous');
        const verdict = decider.decide({ id: caller, serial: '01' }, method, path, new Date(NOW), whole)!;
        const record = { ...JSON.parse(JSON.stringify(audit.events.at(-1))), time: NOW } as DecisionRecord;
        const recorded = recordedRequest(record, asksChain(documents))!;
        const again = evaluate(current, recorded.request);
        if (recorded.missing.size === 0) {
          seen.whole += 1;
          assert.deepEqual(again, verdict.decision, JSON.stringify({ record, text }));
        } else {
          seen.missing += 1;
          assert.ok(unrecorded, JSON.stringify({ missing: [...recorded.missing], record, text }));
          for (const name of recorded.missing) assert.match(name, UNRECORDED);
        }
      }
    }
    assert.ok(seen.whole > 2_000 && seen.missing > 100, JSON.stringify(seen));
  });
});
