import assert from 'node:assert/strict';
import { getHeapStatistics } from 'node:v8';
import { type CompiledPolicy, compilePolicies, evaluate, readPolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { requestFrom, TARGET } from './support.ts';

const shared = { level: 'application', target: TARGET, effect: 'allow', mode: 'enforce' };
const OWN = {
  ...shared,
  name: 'own',
  when: { all: [{ path: { is: '/own' } }, { 'header.x-who': { is: 'a' } }] },
};

/** One document that concerns the request, and others for other paths, methods or callers, which ask about headers. */
async function withOthers(count: number): Promise<CompiledPolicy> {
  const others = Array.from({ length: count }, (_, i) => {
    const elsewhere = [
      { path: { like: `/other-${i}/{id}` } },
      { all: [{ method: { is: 'PUT' } }, { path: { starts: '/' } }] },
      { caller: { is: `spiffe://example.org/ns/shop/sa/other-${i}` } },
    ][i % 3];
    return { ...shared, name: `other-${i}`, when: { all: [{ 'header.x-other': { is: 'a' } }, elsewhere] } };
  });
  const text = JSON.stringify([...others, OWN]);
  return compilePolicies(await readPolicies([{ file: 'f', text }]), parseSpiffeId(TARGET));
}

describe('what a decision costs', () => {
  it('documents that do not concern the request are not asked', async () => {
    const asked: string[] = [];
    const request = requestFrom({ path: '/own' });
    const header = (name: string) => {
      asked.push(name);
      return 'a';
    };
    const facts = { ...request.facts, header };
    assert.equal(evaluate(await withOthers(999), { ...request, facts }).rule, 'own');
    assert.deepEqual(asked, ['x-who']);
  });

  it('the memory it takes does not grow with them', async () => {
    const request = requestFrom({ path: '/own', facts: { headers: { 'x-who': 'a' } } });
    const bytesFor = (policy: CompiledPolicy) => {
      const run = (count: number) => {
        for (let i = 0; i < count; i++) assert.ok(evaluate(policy, request).rule === 'own');
      };
      run(20_000);
      const before = getHeapStatistics().total_allocated_bytes;
      run(20_000);
      return (getHeapStatistics().total_allocated_bytes - before) / 20_000;
    };
    const [few, many] = [bytesFor(await withOthers(9)), bytesFor(await withOthers(999))];
    assert.ok(few > 0 && many < few + 64, `${few} and ${many} bytes a decision`);
  });
});
