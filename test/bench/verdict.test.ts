import assert from 'node:assert/strict';
import type { Row } from '../../bench/rows.ts';
import { verdicts } from '../../bench/verdict.ts';

function row(name: string, figures: Row['figures'], impl = 'signet'): Row {
  return { section: 'inbound', name, impl, figures };
}

function outcome(rows: readonly Row[], budget: RegExp, decisionNs?: number): string {
  const found = verdicts(rows, decisionNs).filter((verdict) => budget.test(verdict.budget));
  assert.equal(found.length, 1);
  return found[0]!.outcome;
}

describe('bench: the verdict on a budget', () => {
  const inbound = (figures: Row['figures']) => [
    row('inbound, 64 connections', { x_nginx: 9, rate: 1 }, 'nginx'),
    row('inbound, 64 connections', figures),
  ];

  it('is that it was kept, up to the very bound', () => {
    assert.equal(outcome(inbound({ x_nginx: 1.2 }), /1\.2 × nginx/), 'kept (1.20 ×)');
  });

  it('is by how much it was missed, where less is better', () => {
    assert.equal(outcome(inbound({ x_nginx: 1.5 }), /1\.2 × nginx/), 'missed by 0.30 × (1.50 ×)');
  });

  it('is by how much it was missed, where more is better', () => {
    assert.equal(outcome(inbound({ rate: 18_500 }), /20,000/), 'missed by 1,500 req/s (18,500 req/s)');
    assert.equal(outcome(inbound({ rate: 21_000 }), /20,000/), 'kept (21,000 req/s)');
  });

  it('is of a decision in microseconds', () => {
    assert.equal(outcome([], /decision/, 6_500), 'missed by 1.50 µs (6.50 µs)');
  });

  it('is never that it was kept where nothing was measured', () => {
    for (const verdict of verdicts([], undefined)) assert.equal(verdict.outcome, 'not measured');
  });
});
