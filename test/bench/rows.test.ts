import assert from 'node:assert/strict';
import type { Sample } from '../../bench/measure.ts';
import { rowsOf } from '../../bench/rows.ts';

const NOTHING = { private_mb: 0, pss_mb: 0, rss_mb: 0 };

function sample(cpuMs: number, times: Partial<Pick<Sample, 'requests' | 'p50_ms' | 'p99_ms'>> = {}): Sample {
  const processes = [cpuMs / 4, (cpuMs * 3) / 4].map((cpu_ms, pid) => ({
    pid,
    cpu_ms,
    before: NOTHING,
    after: { ...NOTHING, private_mb: 2 },
  }));
  const common = { errors: 0, refused: 0, seconds: 2, p50_ms: 1, p99_ms: 2 };
  return { requests: 1_000, ...common, ...times, processes };
}

describe('bench: rows', () => {
  const load = { name: 'a row', args: [] };

  it('hold medians over the rounds, of all processes together', () => {
    const [row] = rowsOf('inbound', load, new Map([['signet', [sample(10), sample(40), sample(20)]]]));
    assert.equal(row!.figures.cpu_ms, 20);
    assert.equal(row!.figures.rate, 500);
    assert.equal(row!.figures.private_mb, 4);
  });

  it('compare within each round, and then take the median', () => {
    const samples = new Map([
      ['signet', [sample(10), sample(90), sample(30)]],
      ['nginx', [sample(10), sample(30), sample(15)]],
    ]);
    const [signet, nginx] = rowsOf('inbound', load, samples);
    assert.equal(signet!.figures.x_nginx, 2);
    assert.equal(nginx!.figures.x_nginx, 1);
    assert.equal('x_envoy' in signet!.figures, false);
  });

  it('of a pair tell the time over a direct call, which has no CPU of its own', () => {
    const samples = new Map([
      ['signet', [sample(1, { p50_ms: 0.5, p99_ms: 3 })]],
      ['direct', [{ ...sample(0, { p50_ms: 0.1, p99_ms: 1 }), processes: [] }]],
    ]);
    const [signet, direct] = rowsOf('pair', load, samples);
    assert.equal(signet!.figures.added_p50_ms, 0.4);
    assert.equal(signet!.figures.added_p99_ms, 2);
    assert.deepEqual(Object.keys(direct!.figures), ['rate', 'p50_ms', 'p99_ms']);
  });

  it('of bodies count by the megabyte', () => {
    const bodies = { ...load, bytes: 2_000_000 };
    const [row] = rowsOf('bodies', bodies, new Map([['nginx', [sample(500, { requests: 100 })]]]));
    assert.equal(row!.figures.rate, 100);
    assert.equal(row!.figures.cpu_ms, 2.5);
  });
});
