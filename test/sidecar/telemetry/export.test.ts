import assert from 'node:assert/strict';
import { createLog } from '../../../lib/adapter/log.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import type { TelemetrySettings } from '../../../sidecar/config/telemetry.ts';
import { Observing } from '../../../sidecar/observe.ts';
import { createTelemetry } from '../../../sidecar/telemetry/index.ts';
import { startCollector } from '../../fakes/collector.ts';
import { createCa } from '../../support/ca.ts';
import { OK, world } from '../inbound/world.ts';
import { until } from '../sockets.ts';
import { authority, clock, credentialsFor, ORDERS, WEB } from '../support.ts';

type Attribute = { readonly key: string; readonly value: Readonly<Record<string, unknown>> };

/** Attributes as an object; whole numbers as the texts they are sent as. */
function flat(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** Telemetry of ORDERS, which writes its log into `lines`. */
async function telemetry(settings: TelemetrySettings) {
  const lines: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const credentials = await credentialsFor(await authority(), ORDERS);
  const log = createLog({ level: 'debug', write: (line) => void lines.push(JSON.parse(line)) });
  const it = await createTelemetry({
    ...{ settings, svid: () => credentials.current, clock, log, logLevel: 'info', metrics },
  });
  return { it, lines, metrics, observing: new Observing(it.observers, clock, it.tracing) };
}

const lost = (text: string) => text.split('\n').filter((line) => /^signet_telemetry_lost_total\{/.test(line));

describe('telemetry: export', () => {
  it('sends spans, log lines and metrics, with whose they are, at the latest at the end', async () => {
    await using collector = await startCollector();
    const t = await telemetry({ otlp: { url: collector.url, ca: null }, share: 1 });
    {
      await using w = await world({ observing: t.observing });
      using client = await w.dial();
      client.send(
        'POST /a?b=c HTTP/1.1\r\nHost: orders\r\nx-request-id: req-12345678\r\nContent-Length: 2\r\n\r\nhi',
      );
      await client.hears(OK);
    }
    t.it.log.child({ part: 'test' }).warn('told', { code: 'x', deep: { a: 1 }, error: new Error('why') });
    t.it.log.debug('not told');
    await t.it[Symbol.asyncDispose]();

    for (const { path, type, body } of collector.received) {
      assert.match(path, /^\/v1\/(?:traces|logs|metrics)$/);
      assert.equal(type, 'application/json');
      const [{ resource }] = Object.values<{ resource: { attributes: Attribute[] } }[]>(body)[0]! as [never];
      const { 'service.instance.id': instance, ...whose } = flat(
        (resource as { attributes: Attribute[] }).attributes,
      );
      assert.match(String(instance), /^[0-9a-f-]{36}$/);
      assert.deepEqual(whose, {
        'service.name': 'orders',
        'service.namespace': 'shop',
        'signet.spiffe_id': ORDERS,
      });
    }
    const [span, ...others] = collector.taken('traces');
    assert.equal(others.length, 0);
    assert.deepEqual(
      [span.name, span.kind, span.parentSpanId, span.status],
      ['POST', 2, undefined, undefined],
    );
    const { 'signet.decision': decision, ...told } = flat(span.attributes);
    assert.match(String(decision), /^[\w-]+-0$/);
    assert.deepEqual(told, {
      ...{ 'http.request.method': 'POST', 'url.path': '/a', 'http.response.status_code': '200' },
      ...{ 'http.request.body.size': '2', 'http.response.body.size': '2' },
      ...{ 'signet.caller': WEB, 'signet.effect': 'allow', 'signet.correlation_id': 'req-12345678' },
    });
    const [record, ...more] = collector.taken('logs');
    assert.equal(more.length, 0);
    assert.deepEqual([record.body.stringValue, record.severityText], ['told', 'WARN']);
    const { error, ...fields } = flat(record.attributes);
    assert.deepEqual(fields, { part: 'test', code: 'x', deep: '{"a":1}' });
    assert.match(String(error), /"message":"why"/);
    const names = collector.taken('metrics').map(({ name }) => name);
    assert.ok(
      names.includes('signet_request_duration_seconds') && names.includes('signet_telemetry_sent_total'),
    );
  });

  it('honours Retry-After, and says once that the collector fails and once that it is back', async () => {
    await using collector = await startCollector();
    collector.answers.push(
      { status: 429, retryAfter: '0' },
      { status: 503, retryAfter: '0' },
      { status: 503, retryAfter: '0' },
    );
    const t = await telemetry({ otlp: { url: collector.url, ca: null }, share: 1 });
    t.it.log.info('told');
    await until(() => collector.taken('logs').length === 1);
    await until(() => t.lines.some(({ event }) => event === 'telemetry_recovered'));
    assert.deepEqual(
      collector.received.map(({ path }) => path),
      new Array(4).fill('/v1/logs'),
    );
    const events = t.lines.map(({ event, code }) => [event, code]);
    assert.deepEqual(events, [
      ['told', undefined],
      ['telemetry_failing', 'status_429'],
      ['telemetry_recovered', undefined],
    ]);
    await t.it[Symbol.asyncDispose]();
    assert.deepEqual(lost(t.metrics.render()), []);
  });

  it('counts what a collector refuses, and what it took only in part', async () => {
    await using collector = await startCollector();
    collector.answers.push({ status: 400 });
    const t = await telemetry({ otlp: { url: collector.url, ca: null }, share: 1 });
    t.it.log.info('told');
    await until(() => collector.received.length === 1);
    collector.answers.push({ status: 200, body: { partialSuccess: { rejectedLogRecords: '1' } } });
    t.it.log.info('told');
    await until(() => collector.received.length === 2);
    await t.it[Symbol.asyncDispose]();
    assert.deepEqual(lost(t.metrics.render()), [
      'signet_telemetry_lost_total{reason="refused",signal="logs"} 1',
      'signet_telemetry_lost_total{reason="rejected",signal="logs"} 1',
    ]);
  });

  it('ends in time though the collector answers nothing', async () => {
    await using collector = await startCollector();
    collector.answers.push('hang', 'hang', 'hang', 'hang');
    const t = await telemetry({ otlp: { url: collector.url, ca: null }, share: 1 });
    t.it.log.info('told');
    await t.it[Symbol.asyncDispose]();
    assert.deepEqual(lost(t.metrics.render()), [
      'signet_telemetry_lost_total{reason="closing",signal="logs"} 1',
      'signet_telemetry_lost_total{reason="closing",signal="metrics"} 1',
    ]);
  });

  it('speaks https to a collector that the given authority vouches for, and to no other', async () => {
    const ca = await createCa();
    const leaf = await ca.leaf(ORDERS, {
      sans: [{ type: 'ip', value: '127.0.0.1' }],
      extendedKeyUsage: null,
    });
    await using collector = await startCollector({ key: leaf.privateKeyPem, cert: leaf.pem });
    const [good, bad] = await Promise.all(
      [ca.pem, (await createCa()).pem].map((pem) =>
        telemetry({ otlp: { url: collector.url, ca: pem }, share: 1 }),
      ),
    );
    for (const { it } of [good!, bad!]) {
      it.log.info('told');
      await it[Symbol.asyncDispose]();
    }
    assert.equal(collector.taken('logs').length, 1);
    assert.deepEqual(bad!.lines.filter(({ event }) => event === 'telemetry_failing').length, 1);
    assert.deepEqual(lost(good!.metrics.render()), []);
  });

  it('without a collector it traces and measures, and sends nothing', async () => {
    const t = await telemetry({ otlp: null, share: 0 });
    await using w = await world({ observing: t.observing });
    using client = await w.dial();
    client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    await client.hears(OK);
    await until(() =>
      /signet_request_duration_seconds_count\{effect="allow",side="inbound"\} 1/.test(t.metrics.render()),
    );
    assert.match(w.app.received, /^traceparent: 00-/m);
    await t.it[Symbol.asyncDispose]();
  });

  it('tells of failed exchanges with the names of their request and trace, ten a second, and counts the others', async () => {
    const t = await telemetry({ otlp: null, share: 0 });
    await using w = await world({ observing: t.observing, answer: (seen) => seen.socket.destroy() });
    using client = await w.dial();
    client.send('GET /a?secret HTTP/1.1\r\nHost: orders\r\nx-request-id: req-12345678\r\n\r\n');
    await client.hears('app_closed');
    const [line, ...more] = t.lines.filter(({ event }) => event === 'exchange_failed');
    assert.equal(more.length, 0);
    const { code, status, correlation_id, trace_id, path } = line!;
    assert.deepEqual([code, status, correlation_id, path], ['app_closed', 502, 'req-12345678', '/a']);
    assert.match(String(trace_id), /^[0-9a-f]{32}$/);
    client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n'.repeat(30));
    await client.hears((text) => text.split('app_closed').length === 32);
    const written = t.lines.filter(({ event }) => event === 'exchange_failed');
    // at the turn of a second there may be as many again
    assert.ok(written.length >= 10 && written.length <= 22, `${written.length} lines`);
  });
});
