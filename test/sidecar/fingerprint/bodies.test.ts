import assert from 'node:assert/strict';
import { once } from 'node:events';
import { MOST_COVERED } from '../../../lib/fingerprint/index.ts';
import { ask, openPlain } from '../http2/world.ts';
import { problemIn } from '../inbound/world.ts';
import { dialPlain, until } from '../sockets.ts';
import { channelLine, digestOf, proofLine, provingCaller } from './caller.ts';
import { provenPair } from './world.ts';

const SMALL = 'x'.repeat(MOST_COVERED);
const LARGE = `${SMALL}y`;
const post = (length: number, more = '') =>
  `POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: ${length}\r\n${more}\r\n`;
/** Until now nothing came to the app, and nothing will: two turns of everything that could bring it. */
const PAUSE_MS = 50;
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

describe('the body of a request that is proven', () => {
  it('is held until it is whole, in whatever pieces it comes, with what follows it', async () => {
    await using w = await provenPair();
    using client = await dialPlain(w.outbound.address);
    client.send(`${post(SMALL.length)}${SMALL.slice(0, 10)}`);
    for (let at = 10; at < SMALL.length - 1; at += 5_000)
      client.send(SMALL.slice(at, Math.min(at + 5_000, SMALL.length - 1)));
    await pause();
    assert.equal(w.app.received, '');
    assert.equal(w.inbound.connections, 0);
    client.send('xGET /b HTTP/1.1\r\nHost: orders\r\n\r\n');
    await client.hears(/ok.*ok/s);
    assert.match(w.app.received, /x{65536}(?:.*)GET \/b /s);
  });

  it('byte by byte', async () => {
    await using w = await provenPair();
    using client = await dialPlain(w.outbound.address);
    for (const c of `${post(300)}${SMALL.slice(0, 300)}`) client.send(c);
    await client.hears('ok');
    assert.match(w.app.received, /\r\n\r\nx{300}$/);
  });

  it('is not held where it is longer, comes in chunks, or waits to be asked for', async () => {
    await using w = await provenPair();
    using client = await dialPlain(w.outbound.address);
    client.send(`${post(LARGE.length)}begun`);
    await until(() => w.app.received.endsWith('begun'));
    client.send(LARGE.slice(5));
    await client.hears('ok');

    client.received = '';
    client.send('POST /c HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n');
    await until(() => w.app.received.endsWith('5\r\nbegun\r\n'));
    client.send('0\r\n\r\n');
    await client.hears('ok');

    client.received = '';
    client.send(post(5, 'Expect: 100-continue\r\n'));
    await until(() => /expect: 100-continue/i.test(w.app.received));
    client.send('hello');
    await client.hears('ok');
  });

  it('is not held where nothing is proven', async () => {
    await using w = await provenPair({ sends: 'off' });
    using client = await dialPlain(w.outbound.address);
    client.send(`${post(10)}begun`);
    await until(() => w.app.received.endsWith('begun'));
  });

  for (const [side, modes] of [
    ['outbound', { outbound: { limits: { stallMs: 300 } } }],
    ['inbound', { inbound: { limits: { stallMs: 300 } } }],
  ] as const)
    it(`is not waited for when it stalls (${side})`, async () => {
      await using w = await provenPair(modes);
      using app = side === 'outbound' ? await dialPlain(w.outbound.address) : null;
      using caller = side === 'inbound' ? await provingCaller(w.inbound.address, w.web) : null;
      const client = app ?? caller!.client;
      client.send(`${post(10)}begun`);
      assert.equal(problemIn(await client.ends())['code'], 'request_timeout');
      assert.equal(w.app.received, '');
    });

  it('is not waited for as a whole for longer than an exchange may take', async () => {
    await using w = await provenPair({ outbound: { limits: { wholeMs: 500 } } });
    using client = await dialPlain(w.outbound.address);
    client.send(post(10_000));
    const dripping = setInterval(() => client.send('x'), 50);
    try {
      assert.equal(problemIn(await client.ends())['code'], 'request_timeout');
    } finally {
      clearInterval(dripping);
    }
  });

  it('longer than bodies may be: refused before it comes', async () => {
    await using w = await provenPair({ outbound: { limits: { bodyBytes: 100 } } });
    using client = await dialPlain(w.outbound.address);
    client.send(post(101));
    assert.equal(problemIn(await client.ends()).status, 413);
  });

  it('of a caller that goes away is nothing to the app', async () => {
    await using w = await provenPair();
    using client = await dialPlain(w.outbound.address);
    client.send(`${post(10)}begun`);
    await pause();
    client.socket.end();
    assert.equal(await client.ends(), '');
    assert.equal(w.app.received, '');
    assert.equal(w.outbound.connections, 0);
  });

  it('is in time while the sidecar drains', async () => {
    await using w = await provenPair();
    using client = await dialPlain(w.outbound.address);
    client.send(`${post(10)}begun`);
    await until(() => w.outbound.connections === 1);
    const closed = w.outbound.close({ deadlineMs: 5_000 });
    client.send('ended');
    await client.hears('ok');
    assert.equal(await closed, 0);
  });

  it('inbound: is checked whole, and the caller’s connection goes on', async () => {
    await using w = await provenPair();
    using caller = await provingCaller(w.inbound.address, w.web);
    const { client } = caller;
    const lines = (body: string) =>
      `${proofLine(caller.proof({ method: 'POST', body: digestOf(body) }))}\r\n${channelLine(caller.assertion)}\r\n`;
    client.send(`${post(SMALL.length, lines(SMALL))}${SMALL.slice(0, 40_000)}`);
    await pause();
    assert.equal(w.app.received, '');
    client.send(SMALL.slice(40_000) + post(5, lines('hello')));
    client.send('hello');
    await client.hears(/ok.*ok/s);
    client.received = '';
    client.send(`${post(5, lines('hello'))}hallo${post(5, lines('hello'))}hello`);
    await client.hears('ok');
    assert.match(client.received, /^HTTP\/1\.1 401 .*proof_body.*HTTP\/1\.1 200 /s);
  });

  it('HTTP/2: the same', async () => {
    await using w = await provenPair();
    const session = await openPlain(w.outbound.address);
    try {
      const post2 = { ':method': 'POST', ':path': '/a' };
      const asked = [SMALL, LARGE, 'x', ''].map((body) =>
        ask(session, { ...post2, 'content-length': body.length }, body),
      );
      const untold = [SMALL, 'x', ''].map((body) => ask(session, post2, body));
      for (const { status } of await Promise.all([...asked, ...untold])) assert.equal(status, 200);

      const held = session.request({
        ...post2,
        ':authority': 'orders',
        ':path': '/held',
        'content-length': 10,
      });
      held.write('begun');
      await pause();
      assert.doesNotMatch(w.app.received, /held/);
      held.end('ended');
      await until(() => /\/held.*begunended/s.test(w.app.received));
      const streamed = session.request({ ...post2, ':authority': 'orders', ':path': '/streamed' });
      streamed.write('begun');
      await until(() => /\/streamed.*begun/s.test(w.app.received));
      streamed.end();
    } finally {
      session.destroy();
    }
  });

  it('HTTP/2: one that trails what may not trail, or that is cut', async () => {
    await using w = await provenPair();
    const session = await openPlain(w.outbound.address);
    try {
      const post2 = { ':method': 'POST', ':path': '/a', 'content-length': 5 };
      assert.match(
        (await ask(session, post2, 'hello', { 'x-signet-caller': 'me' })).body,
        /"code":"trailer_forbidden"/,
      );
      const cut = session.request({ ...post2, ':authority': 'orders' });
      cut.on('error', () => {});
      cut.write('hel');
      await pause();
      cut.close(8);
      assert.equal((await ask(session, post2, 'hello', { 'x-sum': '1' })).status, 200);
      assert.equal(w.app.received.match(/POST/g)?.length, 1);
    } finally {
      session.destroy();
    }
  });

  it('HTTP/2: one that takes longer than an exchange may', async () => {
    await using w = await provenPair({ outbound: { limits: { wholeMs: 500 } } });
    const session = await openPlain(w.outbound.address);
    try {
      const post2 = { ':method': 'POST', ':path': '/a', ':authority': 'orders', 'content-length': 10_000 };
      const stream = session.request(post2);
      stream.on('error', () => {});
      const dripping = setInterval(() => stream.write('x'), 50);
      const [fields] = (await once(stream, 'response')) as [Record<string, unknown>];
      clearInterval(dripping);
      assert.equal(fields[':status'], 408);
    } finally {
      session.destroy();
    }
  });

  it('HTTP/2: one that stalls', async () => {
    await using w = await provenPair({ outbound: { limits: { stallMs: 300 } } });
    const session = await openPlain(w.outbound.address);
    try {
      for (const type of ['text/plain', 'application/grpc']) {
        const stream = session.request({
          ...{ ':method': 'POST', ':path': '/a', ':authority': 'orders' },
          ...{ 'content-length': 10, 'content-type': type },
        });
        stream.on('error', () => {});
        stream.write('begun');
        const [fields] = (await once(stream, 'response')) as [Record<string, string>];
        assert.ok(
          fields[':status'] === ((type === 'text/plain' ? 408 : 200) as unknown),
          JSON.stringify(fields),
        );
        stream.close();
      }
      assert.equal(w.app.received, '');
    } finally {
      session.destroy();
    }
  });
});
