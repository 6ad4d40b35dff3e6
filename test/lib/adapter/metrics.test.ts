import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createMetrics, type Metrics } from '../../../lib/adapter/metrics.ts';

const samples = (metrics: Metrics) =>
  metrics
    .render()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

describe('metrics', () => {
  it('renders the text format: help, type, samples, in the order of registration', () => {
    const metrics = createMetrics();
    metrics.counter('b_total', 'The second letter.').add();
    metrics.gauge('a', 'The first letter.').set(1.5);
    assert.equal(
      metrics.render(),
      '# HELP b_total The second letter.\n# TYPE b_total counter\nb_total 1\n' +
        '# HELP a The first letter.\n# TYPE a gauge\na 1.5\n',
    );
    assert.equal(createMetrics().render(), '');
  });

  it('a counter begins at 0 and adds up', () => {
    const metrics = createMetrics();
    const counter = metrics.counter('a_total', 'A.');
    assert.deepEqual([counter.value(), samples(metrics)], [0, ['a_total 0']]);
    counter.add();
    counter.add(2);
    assert.deepEqual([counter.value(), samples(metrics)], [3, ['a_total 3']]);
  });

  it('counts each set of labels for itself, in whatever order they come', () => {
    const metrics = createMetrics();
    const counter = metrics.counter('a_total', 'A.');
    counter.add(1, { code: '403', method: 'join' });
    counter.add(1, { method: 'join', code: '403' });
    counter.add(5, { code: '503', method: 'join' });
    assert.deepEqual(samples(metrics), [
      'a_total{code="403",method="join"} 2',
      'a_total{code="503",method="join"} 5',
    ]);
    assert.equal(counter.value({ method: 'join', code: '403' }), 2);
    assert.equal(counter.value({ code: '404', method: 'join' }), 0);
    assert.equal(counter.value(), 0);
  });

  it('keeps what was counted without labels beside what was counted with', () => {
    const metrics = createMetrics();
    const counter = metrics.counter('a_total', 'A.');
    counter.add(1, {});
    counter.add(1);
    counter.add(7, { code: '403' });
    assert.deepEqual(samples(metrics), ['a_total 2', 'a_total{code="403"} 7']);
  });

  it('a label’s value cannot break out of its quotes', () => {
    const metrics = createMetrics();
    metrics.gauge('a', 'A.').set(1, { id: 'x"} 9\nb 1\\' });
    assert.deepEqual(samples(metrics), ['a{id="x\\"} 9\\nb 1\\\\"} 1']);
  });

  it('a gauge holds the last value', () => {
    const metrics = createMetrics();
    const gauge = metrics.gauge('a', 'A.');
    gauge.set(3);
    gauge.set(-1);
    assert.deepEqual(samples(metrics), ['a -1']);
  });

  it('a histogram counts every bucket at or above the value, bounds included', () => {
    const metrics = createMetrics();
    const histogram = metrics.histogram('a_seconds', 'A.', [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 1, 4]) histogram.observe(value);
    assert.deepEqual(samples(metrics), [
      'a_seconds_bucket{le="0.1"} 2',
      'a_seconds_bucket{le="1"} 4',
      'a_seconds_bucket{le="+Inf"} 5',
      'a_seconds_sum 5.65',
      'a_seconds_count 5',
    ]);
  });

  it('refuses a name twice, of whatever kind, and keeps registries apart', () => {
    const metrics = createMetrics();
    metrics.counter('a', 'A.');
    assert.throws(() => metrics.gauge('a', 'A.'), /registered twice: a/);
    assert.throws(() => metrics.histogram('a', 'A.', []), /registered twice: a/);
    assert.doesNotThrow(() => createMetrics().counter('a', 'A.'));
  });
});
