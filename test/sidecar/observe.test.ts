import assert from 'node:assert/strict';
import { freePort } from '../../harness/port.ts';
import { type Observation, type Observer, Observing } from '../../sidecar/observe.ts';
import { ask, openPlain, openSession } from './http2/world.ts';
import { OK, problemIn, world } from './inbound/world.ts';
import { pair } from './outbound/world.ts';
import { dialPlain, until } from './sockets.ts';
import { clock, WEB } from './support.ts';

/** One that keeps what it was told. */
function observing() {
  const seen: Observation[] = [];
  const observer: Observer = { observed: (each) => void seen.push(each) };
  return { seen, observing: new Observing([observer], clock) };
}

/** Without what differs from run to run. */
function known({ ms, at, decision, trace, rule, dryRun, ...rest }: Observation): object {
  assert.ok(ms >= 0 && ms < 60_000, `${ms} ms`);
  assert.ok(Math.abs(Date.now() - at) < 60_000, `at ${at}`);
  assert.equal(trace, null);
  assert.deepEqual([rule !== '', dryRun], [decision !== '', 0]);
  assert.equal(decision !== '', rest.effect !== 'none' && rest.side === 'inbound');
  return rest;
}

const ASKED = { side: 'inbound', caller: WEB, upstream: '', method: 'GET', path: '/a', effect: 'allow' };
const ANSWERED = { status: 200, code: '', received: 0, sent: 2, whole: true };
const SPEECHLESS = { status: null, code: '', received: 0, sent: 0, whole: false };
const DENY = [
  { name: 'all', when: { path: { starts: '/' } } },
  { name: 'none', effect: 'deny', when: { path: { is: '/none' } } },
];

describe('observing: HTTP/1.1', () => {
  it('tells of each exchange of a connection, in its order, with its bytes', async () => {
    const o = observing();
    await using w = await world({ documents: DENY, observing: o.observing });
    using client = await w.dial();
    client.send(
      'GET /a?b HTTP/1.1\r\nHost: orders\r\n\r\nPOST /b HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhe',
    );
    await client.hears(OK);
    client.send('lloGET /none HTTP/1.1\r\nHost: orders\r\n\r\n');
    await client.hears('decision_id');
    assert.deepEqual(o.seen.map(known), [
      { ...ASKED, ...ANSWERED },
      { ...ASKED, ...ANSWERED, method: 'POST', path: '/b', received: 5 },
      { ...ASKED, ...ANSWERED, path: '/none', effect: 'deny', status: 403, code: 'policy_denied', sent: 0 },
    ]);
    const decided = w.audit.events.map((event) => (event as { id?: string }).id);
    assert.deepEqual(
      o.seen.map(({ decision }) => decision),
      decided,
    );
  });

  it('tells of the rule that decided, and of how many others held in dry-run', async () => {
    const o = observing();
    const dry = { name: 'tried', effect: 'deny', mode: 'dry-run', when: { path: { is: '/a' } } };
    await using w = await world({ documents: [...DENY, dry], observing: o.observing });
    using client = await w.dial();
    for (const path of ['/a', '/b', '/none']) client.send(`GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`);
    await client.hears('decision_id');
    assert.deepEqual(
      o.seen.map(({ rule, dryRun }) => [rule, dryRun]),
      [
        ['all', 1],
        ['all', 0],
        ['none', 0],
      ],
    );
  });

  it('tells of an app that does not answer, and of one whose answer breaks off', async () => {
    const o = observing();
    await using away = await world({ appPort: await freePort(), observing: o.observing });
    using first = await away.dial();
    first.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    await first.hears('app_unreachable');
    await using cut = await world({
      observing: o.observing,
      answer: (seen) => seen.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    });
    using second = await cut.dial();
    second.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    await second.ends();
    assert.deepEqual(o.seen.map(known), [
      { ...ASKED, ...ANSWERED, status: 502, code: 'app_unreachable', sent: 0 },
      { ...ASKED, ...ANSWERED, sent: 4, whole: false },
    ]);
  });

  it('tells of a caller that goes before there is an answer', async () => {
    const o = observing();
    await using w = await world({ answer: () => {}, observing: o.observing });
    const client = await w.dial();
    client.send('PUT /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhe');
    await until(() => w.app.received.endsWith('he'));
    client.socket.destroy();
    await until(() => o.seen.length > 0);
    assert.deepEqual(o.seen.map(known), [{ ...ASKED, ...SPEECHLESS, method: 'PUT', received: 2 }]);
  });

  it('tells of a body that turns out malformed, and of a request without an SVID of ours', async () => {
    const o = observing();
    await using w = await world({ answer: () => {}, observing: o.observing });
    using client = await w.dial();
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n');
    await until(() => w.app.received !== '');
    client.send('zz\r\n');
    await client.ends();
    using late = await w.dial();
    w.orders.withdraw();
    late.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    assert.equal(problemIn(await late.hears('no_svid')).status, 503);
    assert.deepEqual(o.seen.map(known), [
      { ...ASKED, method: 'POST', ...ANSWERED, status: 400, code: 'chunk_size', sent: 0 },
      { ...ASKED, ...ANSWERED, effect: 'none', status: 503, code: 'no_svid', sent: 0 },
    ]);
  });
});

describe('observing: HTTP/2', () => {
  it('tells of each stream when it ends', async () => {
    const o = observing();
    await using w = await world({ documents: DENY, observing: o.observing });
    const session = await openSession(w.inbound.address, w.web);
    assert.equal((await ask(session, { ':path': '/a?q' })).status, 200);
    assert.equal((await ask(session, { ':path': '/b', ':method': 'POST' }, 'hello')).status, 200);
    assert.equal((await ask(session, { ':path': '/none' })).status, 403);
    session.close();
    assert.deepEqual(o.seen.map(known), [
      { ...ASKED, ...ANSWERED },
      { ...ASKED, ...ANSWERED, method: 'POST', path: '/b', received: 5 },
      { ...ASKED, ...ANSWERED, path: '/none', effect: 'deny', status: 403, code: 'policy_denied', sent: 0 },
    ]);
  });

  it('tells of a stream that its caller resets', async () => {
    const o = observing();
    await using w = await world({ answer: () => {}, observing: o.observing });
    const session = await openSession(w.inbound.address, w.web);
    const stream = session.request({ ':path': '/a', ':authority': 'orders' });
    stream.on('error', () => {});
    await until(() => w.app.received !== '');
    stream.close();
    await until(() => o.seen.length > 0);
    session.close();
    assert.deepEqual(o.seen.map(known), [{ ...ASKED, ...SPEECHLESS }]);
  });
});

describe('observing: outbound', () => {
  it("tells of the app's calls by upstream, and of those that go nowhere", async () => {
    const o = observing();
    await using w = await pair({ outbound: { observing: o.observing } });
    using client = await dialPlain(w.outbound.address);
    client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    await client.hears(OK);
    client.send('GET /a HTTP/1.1\r\nHost: nobody\r\n\r\n');
    await client.hears('unknown_upstream');
    const session = await openPlain(w.outbound.address);
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
    session.close();
    const asked = { ...ASKED, side: 'outbound', caller: '', upstream: 'orders' };
    assert.deepEqual(o.seen.map(known), [
      { ...asked, ...ANSWERED },
      { ...asked, ...ANSWERED, upstream: '', effect: 'none', status: 404, code: 'unknown_upstream', sent: 0 },
      { ...asked, ...ANSWERED },
    ]);
  });
});
