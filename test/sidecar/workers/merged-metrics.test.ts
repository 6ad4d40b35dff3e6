import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { mergedMetrics } from '../../../sidecar/workers/merged-metrics.ts';

function textOf(labels: Readonly<Record<string, string>>, by = 1): string {
  const metrics = createMetrics();
  metrics.counter('asked_total', 'Asked, by whom').add(by, labels);
  metrics.gauge('open', 'Open now').set(2);
  metrics.histogram('took_seconds', 'Took', [0.5]).observe(0.1);
  return metrics.render();
}

describe('the metrics of several workers', () => {
  it('are one text: each family once, each sample with its worker', () => {
    const texts = new Map([
      [1, textOf({ by: 'a b' })],
      [3, textOf({ by: 'a b' }, 7)],
    ]);
    assert.equal(
      mergedMetrics(texts),
      `# HELP asked_total Asked, by whom
# TYPE asked_total counter
asked_total{worker="1",by="a b"} 1
asked_total{worker="3",by="a b"} 7
# HELP open Open now
# TYPE open gauge
open{worker="1"} 2
open{worker="3"} 2
# HELP took_seconds Took
# TYPE took_seconds histogram
took_seconds_bucket{worker="1",le="0.5"} 1
took_seconds_bucket{worker="1",le="+Inf"} 1
took_seconds_sum{worker="1"} 0.1
took_seconds_count{worker="1"} 1
took_seconds_bucket{worker="3",le="0.5"} 1
took_seconds_bucket{worker="3",le="+Inf"} 1
took_seconds_sum{worker="3"} 0.1
took_seconds_count{worker="3"} 1
`,
    );
  });

  it('keep the value of a label whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const labels = textOf({ by: value }).split('asked_total{')[1]!.split('\n# HELP')[0]!;
        const merged = mergedMetrics(new Map([[2, textOf({ by: value })]]));
        assert.ok(merged.includes(`\nasked_total{worker="2",${labels}\n`), JSON.stringify(value));
      }),
    );
  });

  it('hold nothing that is not a sample of a family, however a worker was led to say it', () => {
    const lines = /^(# (HELP|TYPE) [a-zA-Z_:][\w:]* .*|[a-zA-Z_:][\w:]*\{worker="2"(,.*)?\} \S+|)$/;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const said of [text, textOf({ by: 'a' }).replace('asked', text)])
          for (const line of mergedMetrics(new Map([[2, said]])).split('\n')) assert.match(line, lines);
      }),
    );
  });
});
