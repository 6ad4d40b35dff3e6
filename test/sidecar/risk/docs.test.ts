import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parseRiskRules } from '../../../lib/risk/index.ts';

const doc = await readFile(new URL('../../../docs/risk.md', import.meta.url), 'utf8');

describe('docs/risk.md', () => {
  it('has an example that can be used, with every input that its table has', () => {
    const [, example = ''] = /^```json\n(.*?)^```/ms.exec(doc) ?? [];
    const { inputs, anomaly } = parseRiskRules(example);
    const told = [...doc.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(told, Object.keys(inputs));
    assert.deepEqual(anomaly, { from: 60, everyMs: 60_000 });
  });
});
