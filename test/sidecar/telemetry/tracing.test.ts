import assert from 'node:assert/strict';
import { type Observation, Observing } from '../../../sidecar/observe.ts';
import { createTracing } from '../../../sidecar/telemetry/tracing.ts';
import { ask, openSession } from '../http2/world.ts';
import { OK, problemIn, type WorldOptions, world } from '../inbound/world.ts';
import { pair } from '../outbound/world.ts';
import { dialPlain } from '../sockets.ts';
import { clock } from '../support.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

function traced(share = 0) {
  const seen: Observation[] = [];
  const observing = new Observing(
    [{ observed: (each) => void seen.push(each) }],
    clock,
    createTracing(share),
  );
  return { seen, observing };
}

/** The header lines of the app's last request, by name in lower case; of each name all values. */
function lines(received: string): Record<string, string[]> {
  const head = received.slice(received.lastIndexOf('GET /')).split('\r\n\r\n')[0]!;
  const fields: Record<string, string[]> = {};
  for (const line of head.split('\r\n').slice(1)) {
    const [name = '', ...value] = line.split(':');
    (fields[name.toLowerCase()] ??= []).push(value.join(':').trim());
  }
  return fields;
}

/** What an app sees of a request with these header lines. */
async function seenOf(more: string, options: WorldOptions & { readonly share?: number } = {}) {
  const { share = 0, ...rest } = options;
  const t = traced(share);
  await using w = await world({ ...rest, observing: t.observing });
  using client = rest.anonymous === undefined ? await w.dial() : await dialPlain(w.inbound.anonymous!);
  client.send(`GET /a?secret=1 HTTP/1.1\r\nHost: orders\r\n${more}\r\n`);
  await client.hears(OK);
  return { fields: lines(w.app.received), observation: t.seen[0]!, audit: w.audit.events };
}

const PARENT = `traceparent: 00-${TRACE}-${SPAN}-01\r\n`;
const ours = (text = '') => /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$/.exec(text)?.slice(1) ?? [];

describe('tracing: what the app sees of a request', () => {
  it('goes on in the trace of its caller, as a child of our span', async () => {
    const { fields, observation } = await seenOf(`${PARENT}tracestate: a=1\r\nTraceState: b=2\r\n`);
    const [traceId, spanId, flags] = ours(fields['traceparent']?.[0]);
    const { context, parentId, state } = observation.trace!;
    assert.deepEqual([traceId, flags, parentId, state], [TRACE, '01', SPAN, 'a=1,b=2']);
    assert.deepEqual(context, { traceId: TRACE, spanId, sampled: true });
    assert.notEqual(spanId, SPAN);
    assert.deepEqual([fields['traceparent']?.length, fields['tracestate']], [1, ['a=1,b=2']]);
  });

  for (const [what, sent] of [
    ['is none', ''],
    ['is malformed', 'traceparent: 00-zz\r\ntracestate: a=1\r\n'],
    ['has version ff', `traceparent: ff-${TRACE}-${SPAN}-01\r\ntracestate: a=1\r\n`],
    ['is there twice', `${PARENT}${PARENT}tracestate: a=1\r\n`],
  ] as const)
    it(`begins a trace where traceparent ${what}, and passes no tracestate on`, async () => {
      const { fields, observation } = await seenOf(sent);
      const [traceId, , flags] = ours(fields['traceparent']?.[0]);
      assert.match(traceId!, /^[0-9a-f]{32}$/);
      assert.notEqual(traceId, TRACE);
      assert.deepEqual([flags, fields['traceparent']?.length, fields['tracestate']], ['00', 1, undefined]);
      assert.deepEqual([observation.trace!.parentId, observation.trace!.state], ['', '']);
    });

  it('records the share of new traces that was asked for, and of others what their caller says', async () => {
    const flagsOf = async (...args: Parameters<typeof seenOf>) =>
      ours((await seenOf(...args)).fields['traceparent']?.[0])[2];
    const declined = `traceparent: 00-${TRACE}-${SPAN}-00\r\n`;
    assert.equal(await flagsOf('', { share: 1 }), '01');
    assert.equal(await flagsOf('', { share: 0 }), '00');
    assert.equal(await flagsOf(declined, { share: 1 }), '00');
    assert.equal(await flagsOf(PARENT, { share: 0 }), '01');
    const open = {
      documents: [{ name: 'open', when: { caller: { is: 'anonymous' } } }],
      anonymous: 'http',
    } as const;
    assert.equal(await flagsOf(PARENT, { ...open, share: 0 }), '00');
    assert.equal(await flagsOf(PARENT, { ...open, share: 1 }), '01');
  });

  for (const [what, sent, want] of [
    ['takes a well-formed one over', 'x-request-id: req-12345678\r\n', 'req-12345678'],
    ['gives one to a request that has none', PARENT, TRACE],
    ['takes none that could be a token', `${PARENT}x-request-id: eyJhbGciOiJub25lIn0.e30.\r\n`, TRACE],
    ['takes none that is too long', `${PARENT}x-request-id: ${'a'.repeat(65)}\r\n`, TRACE],
    ['takes none of two', `${PARENT}x-request-id: req-12345678\r\nX-Request-Id: req-87654321\r\n`, TRACE],
    ['takes none in another spelling', `${PARENT}x_request_id: req-12345678\r\n`, TRACE],
  ] as const)
    it(`correlation id: ${what}`, async () => {
      const { fields, observation, audit } = await seenOf(sent);
      assert.deepEqual(fields['x-request-id'], [want]);
      assert.equal(fields['x_request_id'], undefined);
      assert.equal(observation.trace!.correlation, want);
      assert.equal((audit[0] as { correlation_id?: string }).correlation_id, want);
    });

  it('baggage goes on as it came, or not at all', async () => {
    const good = await seenOf('baggage: a=1;p=2\r\nBaggage: b=%20\r\n');
    assert.deepEqual(good.fields['baggage'], ['a=1;p=2', 'b=%20']);
    for (const bad of [
      'a',
      'a=1,,',
      `a=${'v'.repeat(8_191)}`,
      Array.from({ length: 65 }, (_, i) => `k${i}=v`).join(','),
    ])
      assert.equal((await seenOf(`baggage: ${bad}\r\n`)).fields['baggage'], undefined);
    assert.ok(!JSON.stringify(good.observation).includes('%20'));
  });

  it('leaves alone what stands between, before and behind the lines that are replaced', async () => {
    const { fields } = await seenOf(
      `a: 1\r\n${PARENT}x-signet-caller: me\r\nb: 2\r\nx-request-id: no.dots\r\nproxy: x\r\ntracestate: a=1\r\nc: 3\r\n`,
    );
    assert.deepEqual(Object.keys(fields), [
      'host',
      'a',
      'b',
      'c',
      'x-signet-caller',
      'traceparent',
      'tracestate',
      'x-request-id',
    ]);
    assert.deepEqual([fields['a'], fields['b'], fields['c']], [['1'], ['2'], ['3']]);
  });
});

describe('tracing: on the way', () => {
  it('a refusal names the correlation id, as the audit does', async () => {
    const t = traced();
    await using w = await world({ documents: [], observing: t.observing });
    using client = await w.dial();
    client.send('GET /a HTTP/1.1\r\nHost: orders\r\nx-request-id: req-12345678\r\n\r\n');
    assert.equal(problemIn(await client.hears('decision_id'))['correlation_id'], 'req-12345678');
    assert.equal((w.audit.events[0] as { correlation_id?: string }).correlation_id, 'req-12345678');
  });

  it('one trace from an app through both sidecars to the other app: each span the child of the one before', async () => {
    const [out, into] = [traced(), traced()];
    await using w = await pair({
      inbound: { observing: into.observing },
      outbound: { observing: out.observing },
    });
    using client = await dialPlain(w.outbound.address);
    client.send(`GET /a HTTP/1.1\r\nHost: orders\r\n${PARENT}tracestate: a=1\r\n\r\n`);
    await client.hears(OK);
    const [client_, server] = [out.seen[0]!.trace!, into.seen[0]!.trace!];
    assert.deepEqual([client_.parentId, server.parentId], [SPAN, client_.context.spanId]);
    const [traceId, spanId] = ours(lines(w.app.received)['traceparent']?.[0]);
    assert.deepEqual([traceId, spanId], [TRACE, server.context.spanId]);
    assert.deepEqual([client_.correlation, server.correlation], [TRACE, TRACE]);
    assert.equal(server.state, 'a=1');
  });

  it('over HTTP/2 to an app of HTTP/1.1, and after a wait for a connection', async () => {
    const t = traced(1);
    await using w = await world({ observing: t.observing });
    const session = await openSession(w.inbound.address, w.web);
    const asked = { ':path': '/a', traceparent: `00-${TRACE}-${SPAN}-00`, baggage: 'a=1' };
    assert.equal((await ask(session, asked)).status, 200);
    session.close();
    const fields = lines(w.app.received);
    assert.deepEqual(ours(fields['traceparent']?.[0]), [TRACE, t.seen[0]!.trace!.context.spanId, '00']);
    assert.deepEqual([fields['traceparent']?.length, fields['baggage']], [1, ['a=1']]);
  });

  it('draws no id twice in 20,000', () => {
    const tracing = createTracing(1);
    const head = { linesStart: 0, linesEnd: 0, bytes: Buffer.alloc(0) } as never;
    const ids = Array.from({ length: 20_000 }, () => tracing.begin(head, true).context);
    assert.equal(new Set(ids.map(({ traceId }) => traceId)).size, 20_000);
    assert.equal(new Set(ids.map(({ spanId }) => spanId)).size, 20_000);
  });
});
