import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Collector, startCollector } from '../../harness/collector.ts';
import { otelcolBinary } from '../../setup/otelcol.mjs';
import { findLeaks } from './leaks.ts';
import { type Services, startServices } from './services.ts';
import { createWorld, type World } from './world.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
/** Where secrets are, and where each must not come out. */
const SECRETS = {
  authorization: 'Bearer eyJhbGciOiJFUzI1NiJ9.c2VjcmV0LWNsYWlt.c2VjcmV0LXNpZ25hdHVyZQ',
  cookie: 'session=cookie-4f1d27c0b9',
  baggage: 'userId=baggage-91b7c6aa02',
  'x-request-id': 'hvs.CAESIJlU02LQZqcorrelation',
  'x-api-key': 'header-5b0c1d9e77',
};
const [QUERY, BODY, ANSWER] = ['query-2d4e8f6a10', 'body-7c3a5e9b21', 'answer-8e6f4d2c13'];
const sought = [...Object.values(SECRETS), QUERY, BODY, ANSWER].map((value) =>
  value.replace(/^(?:Bearer |\w+=)/, ''),
);

describe('telemetry, to a real collector', function () {
  this.timeout(120_000);
  const resources = new AsyncDisposableStack();
  let collector: Collector;
  let world: World;
  let services: Services;
  const seen: IncomingHttpHeaders[] = [];

  before(async function () {
    const binary = otelcolBinary();
    if (binary === undefined) {
      assert.notEqual(process.env['CI'], 'true', 'the collector is not built');
      this.skip();
    }
    const doc = await readFile(new URL('../../docs/telemetry.md', import.meta.url), 'utf8');
    const configuration = /```yaml\n(.*?)```/s.exec(doc)?.[1] ?? '';
    collector = resources.use(await startCollector(binary!, configuration));
    world = resources.use(await createWorld());
    services = resources.use(
      await startServices(world, {
        env: { SIGNET_OTLP: collector.url, SIGNET_TRACING: '1', SIGNET_LOG_LEVEL: 'debug' },
        app(asked, response) {
          seen.push(asked.headers);
          asked.resume();
          response.setHeader('Set-Cookie', ANSWER);
          response.end(ANSWER);
        },
      }),
    );
  });
  after(() => resources.disposeAsync());

  it('metrics and log lines of the broker', async () => {
    await world.broker.stop();
    const broker = await world.startBroker({ SIGNET_OTLP: collector.url });
    await broker.waitForEvent('listening', ({ what }) => what === 'broker');
    await broker.stop();
    const told = await collector.until(
      (so_far) => /service\.name: Str\(signet\/broker\)/.test(so_far) && so_far.includes('Body: Str(ended)'),
    );
    assert.match(told, /signet\.spiffe_id: Str\(spiffe:\/\/example\.org\/signet\/broker\)/);
    assert.match(told, /Name: signet_telemetry_sent_total/);
    await world.startBroker();
  });

  it('one trace through both sidecars, and no secret in anything that is told of it', async () => {
    const headers = { ...SECRETS, host: 'orders', traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1' };
    const outbound = await services.web.addressOf('outbound');
    const post = await ask(`http://${outbound}/orders/42?token=${QUERY}`, 'POST', headers, BODY);
    assert.deepEqual(post, { status: 200, body: ANSWER });
    const denied = await ask(`http://${outbound}/orders/42?token=${QUERY}`, 'DELETE', headers, BODY);
    assert.equal(denied.status, 403);
    assert.equal(JSON.parse(denied.body).correlation_id, TRACE);
    assert.equal(seen.length, 1);
    assert.deepEqual([seen[0]!['baggage'], seen[0]!['x-request-id']], [SECRETS.baggage, TRACE]);

    const spans = spansIn(
      await collector.until((told) => told.split(TRACE).length > 4 && spansIn(told).length >= 4),
    );
    const of = (name: string, kind: string) =>
      spans.find((span) => span.name === name && span.kind === kind)!;
    const [client, server] = [of('POST', 'Client'), of('POST', 'Server')];
    for (const span of spans) assert.equal(span.trace, TRACE);
    assert.deepEqual([client.parent, server.parent], [SPAN, client.id]);
    assert.equal(seen[0]!['traceparent'], `00-${TRACE}-${server.id}-01`);
    assert.equal(of('DELETE', 'Server').text.includes('signet.effect: Str(deny)'), true);
    assert.match(server.text, /signet\.caller: Str\(spiffe:\/\/example\.org\/ns\/shop\/sa\/web\)/);
    assert.match(server.text, /url\.path: Str\(\/orders\/42\)/);

    await Promise.all([services.web.stop(), services.orders.stop()]);
    const told = await collector.until(
      (so_far) => so_far.includes('signet_request_duration_seconds') && so_far.includes('stopped'),
    );
    assert.match(told, /service\.name: Str\(orders\)/);
    assert.match(told, /Name: signet_decisions_total/);
    assert.match(told, /Body: Str\(exchange\)/);
    const decisions = await auditOf(world);
    assert.deepEqual(
      decisions.map((each) => each.correlation_id),
      [TRACE, TRACE],
    );
    const logged = services.orders.logs().filter(({ event }) => event === 'exchange');
    assert.deepEqual(
      logged.map((line) => [line['correlation_id'], line['trace_id']]),
      [
        [TRACE, TRACE],
        [TRACE, TRACE],
      ],
    );

    const places = {
      collector: told,
      'log of web': services.web.stderr() + services.web.stdout(),
      'log of orders': services.orders.stderr() + services.orders.stdout(),
      audit: await readFile(join(world.dir, 'orders-audit.jsonl'), 'utf8'),
    };
    for (const [place, found] of Object.entries(places)) {
      assert.ok(found.includes(TRACE), `${place} tells of the request`);
      assert.deepEqual(findLeaks(Buffer.from(found), { values: sought }), [], place);
    }
  });
});

type ToldSpan = {
  readonly trace: string;
  readonly parent: string;
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly text: string;
};

/** Spans in the words of the collector's debug exporter. */
function spansIn(told: string): ToldSpan[] {
  return told
    .split(/^Span #\d+$/m)
    .slice(1)
    .map((part) => {
      const field = (name: string) => new RegExp(`^ +${name} +: (.*)$`, 'm').exec(part)?.[1] ?? '';
      const [trace, parent, id] = [field('Trace ID'), field('Parent ID'), field('ID')];
      return {
        trace,
        parent,
        id,
        name: field('Name'),
        kind: field('Kind'),
        text: part.split('\nResource')[0]!,
      };
    });
}

async function auditOf(world: World): Promise<{ readonly type: string; readonly correlation_id: string }[]> {
  const lines = (await readFile(join(world.dir, 'orders-audit.jsonl'), 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'decision');
}

function ask(url: string, method: string, headers: Readonly<Record<string, string>>, body: string) {
  return new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const asked = request(url, {
      method,
      headers: { ...headers, 'content-length': body.length },
      agent: false,
    });
    asked.on('error', reject);
    asked.on('response', async (answer) =>
      resolve({ status: answer.statusCode ?? 0, body: await text(answer) }),
    );
    asked.end(body);
  });
}
