import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCollection } from '../../broker/audit/collection.ts';
import { createLog } from '../../lib/adapter/log.ts';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import { createChain } from '../../lib/audit/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';

const name = (i: number) => `log${String(i).padStart(19, '0')}`;

describe('the logs that a broker collects', () => {
  it('are each open once, however many others come while one is written to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'signet-'));
    const metrics = createMetrics();
    const collection = await createCollection({
      folder,
      countersigner: { ask() {}, lastOf: () => undefined, run: async () => {} },
      log: createLog({ level: 'alarm', write: () => {} }),
      records: metrics.counter('records', 'records'),
      refusals: metrics.counter('refusals', 'refusals'),
    });
    const id = parseSpiffeId('spiffe://example.org/ns/shop/sa/web');
    const bundle = { trustDomain: 'example.org', sequence: 0, refreshHintSeconds: null, authorities: [] };
    const chain = createChain();
    const append = (log: string, lines: readonly string[]) => collection.append({ id, bundle }, log, lines);
    const next = () => append(name(0), [chain.append({ type: 'alarm' }, new Date()).line.trimEnd()]);
    const written = Array.from({ length: 200 }, next);
    const others = Array.from({ length: 300 }, (_, i) => append(name(i + 1), []));
    await Promise.race(others);
    written.push(next());
    const standings = await Promise.all(written);
    assert.deepEqual(
      standings.map((standing) => standing.next),
      written.map((_, i) => i + 1),
    );
    await Promise.all(others);
    await collection[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
});
