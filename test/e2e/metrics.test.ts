import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { promtoolBinary } from '../../setup/promtool.mjs';
import { mergedMetrics } from '../../sidecar/workers/merged-metrics.ts';
import { type Family, readPrometheus } from '../support/prometheus.ts';
import { type Services, startServices } from './services.ts';
import { createWorld, type World } from './world.ts';

describe('metrics of running programs', function () {
  this.timeout(120_000);
  const resources = new AsyncDisposableStack();
  const texts: Record<string, string> = {};

  before(async () => {
    const world: World = resources.use(await createWorld());
    const env = { SIGNET_TRACING: '1' };
    const services: Services = resources.use(await startServices(world, { env }));
    const outbound = await services.web.addressOf('outbound');
    const statuses = [
      await ask(outbound, 'orders', 'GET'),
      await ask(outbound, 'orders', 'DELETE'),
      await ask(outbound, 'nobody', 'GET'),
    ];
    assert.deepEqual(statuses, [200, 403, 404]);
    for (const [name, program] of Object.entries({
      web: services.web,
      orders: services.orders,
      broker: world.broker,
    })) {
      const answer = await fetch(`http://${await program.addressOf('admin')}/metrics`);
      assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
      texts[name] = await answer.text();
    }
    texts['two workers'] = mergedMetrics(
      new Map([
        [1, texts['orders']!],
        [2, texts['web']!],
      ]),
    );
  });
  after(() => resources.disposeAsync());

  for (const name of ['web', 'orders', 'broker', 'two workers']) {
    it(`${name}: read strictly`, () => {
      const families = readPrometheus(texts[name]!);
      assert.ok(families.length > 5, `${families.length} metrics`);
      for (const { name: metric, samples } of families) {
        assert.match(metric, /^signet_/);
        assert.ok(samples.length < 80, `${metric} has ${samples.length} samples`);
      }
    });

    it(`${name}: promtool finds nothing`, function () {
      const binary = promtoolBinary();
      if (binary === undefined) {
        assert.notEqual(process.env['CI'], 'true', 'promtool is not there');
        this.skip();
      }
      assert.deepEqual(promtool(binary!, texts[name]!), { status: 0, said: '' });
    });
  }

  it('durations are there by side and effect, and by nothing else', () => {
    const of = (name: string) =>
      readPrometheus(texts[name]!).find(
        ({ name: metric }) => metric === 'signet_request_duration_seconds',
      ) as Family;
    const counts = (name: string) =>
      of(name)
        .samples.filter((sample) => sample.name.endsWith('_count'))
        .map(({ labels, value }) => ({ ...labels, value }));
    assert.deepEqual(counts('web'), [
      { side: 'outbound', effect: 'allow', value: 2 },
      { side: 'outbound', effect: 'none', value: 1 },
    ]);
    assert.deepEqual(counts('orders'), [
      { side: 'inbound', effect: 'allow', value: 1 },
      { side: 'inbound', effect: 'deny', value: 1 },
    ]);
  });

  it('promtool and the strict reader find what is wrong', () => {
    const binary = promtoolBinary();
    for (const wrong of [
      '# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n',
      '# HELP a A.\n# TYPE a counter\na 1\n',
      '# TYPE a gauge\na 1\n',
      '# HELP a A.\n# TYPE a gauge\na 1\na 2\n',
      '# HELP a A.\n# TYPE a gauge\na{b="c} 1\n',
      '# HELP a A.\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    ]) {
      assert.throws(() => readPrometheus(wrong), wrong);
    }
    if (binary !== undefined)
      assert.notEqual(promtool(binary, '# HELP a A.\n# TYPE a counter\na 1\n').status, 0);
  });
});

function promtool(binary: string, text: string): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(binary, ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, said: stdout + stderr };
}

/** `fetch` would set Host by itself. */
function ask(address: string, host: string, method: string): Promise<number> {
  return new Promise((resolve, reject) =>
    request(`http://${address}/a`, { method, headers: { host }, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end(),
  );
}
