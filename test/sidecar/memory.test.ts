import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { environment, flags } from '../../bin/flags.mjs';

const memory = new URL('../../sidecar/memory.ts', import.meta.url);

/** Frees all but a few of many small pieces, which the C library keeps for want of whole pages at the end; then settles. */
const program = `
  import { readFileSync } from 'node:fs';
  import { settleMemory } from '${memory}';
  const dirty = () => Number(/^Private_Dirty:\\s+(\\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]);
  let pieces = Array.from({ length: 4_000 }, () => Buffer.alloc(20_000, 1));
  const most = dirty();
  const kept = pieces.filter((_, i) => i % 100 === 99);
  pieces = null;
  using settled = await settleMemory();
  console.log(JSON.stringify({ most, settled: dirty(), kept: kept.length }));
`;

describe('memory', () => {
  it('that is not needed after the start is given back', () => {
    const args = [...flags.sidecar, '--input-type=module', '-e', program];
    const env = { ...process.env, ...environment.sidecar };
    const output = execFileSync(process.execPath, args, { encoding: 'utf8', env });
    const { most, settled } = JSON.parse(output) as { most: number; settled: number };
    assert.ok(most > 80_000, `${most} KB in use at the most`);
    assert.ok(settled < most / 2, `${settled} KB of ${most} KB are left`);
  });
});
