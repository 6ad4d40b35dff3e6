import assert from 'node:assert/strict';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { dialPlain, until } from '../sockets.ts';
import { asking, echoing } from '../websocket/handshake.ts';
import { PendingUsers } from './pending-users.ts';
import { OK, problemIn, type World, type WorldOptions, world } from './world.ts';

const get = (name = '', path = '/a') =>
  `GET ${path} HTTP/1.1\r\nHost: orders\r\n${name === '' ? '' : `Wait: ${name}\r\n`}\r\n`;
const count = (text: string, part: string) => text.split(part).length - 1;
const asked = (users: PendingUsers, name: string) => until(() => users.asked.has(name));

async function waiting(options: WorldOptions = {}): Promise<World & { readonly users: PendingUsers }> {
  const users = new PendingUsers();
  return { ...(await world({ ...options, screens: { ...NO_SCREENS, users } })), users };
}

describe('inbound: a judgement that waits', () => {
  it('holds the request back, asks twice, and decides once', async () => {
    await using w = await waiting();
    using client = await w.dial();
    client.send(get('x'));
    await asked(w.users, 'x');
    assert.deepEqual([w.app.connections.length, w.audit.events.length], [0, 0]);
    w.users.allow('x');
    await client.hears(OK);
    assert.deepEqual([w.users.asked.get('x'), w.audit.events.length], [2, 1]);
    client.send(get());
    await client.hears((text) => count(text, OK) === 2);
  });

  it('then refuses with what the caller is to know, and goes on', async () => {
    await using w = await waiting();
    using client = await w.dial();
    client.send(get('x'));
    await asked(w.users, 'x');
    w.users.refuse('x');
    const heard = await client.hears('token_invalid');
    assert.match(heard, /^HTTP\/1\.1 401 .*\r\nwww-authenticate: Bearer realm="signet"\r\n/s);
    client.send(get());
    await client.hears(OK);
    assert.deepEqual(
      w.audit.events.map(({ type }) => type),
      ['refused', 'decision'],
    );
  });

  it('gives the whole body to the app, whenever it came', async () => {
    await using w = await waiting();
    using client = await w.dial();
    const body = 'x'.repeat(300_000);
    const head = `POST /a HTTP/1.1\r\nHost: orders\r\nWait: x\r\nContent-Length: ${body.length}\r\n\r\n`;
    client.send(head + body.slice(0, 10));
    await asked(w.users, 'x');
    client.send(body.slice(10));
    assert.equal(w.app.received, '');
    w.users.allow('x');
    await client.hears(OK);
    assert.ok(w.app.received.endsWith(`\r\n\r\n${body}`));
    client.send(`POST /a HTTP/1.1\r\nHost: orders\r\nWait: y\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel`);
    await asked(w.users, 'y');
    client.send(`lo\r\n0\r\n\r\n${get()}`);
    w.users.allow('y');
    await client.hears((text) => count(text, OK) === 3);
  });

  it('takes no more of a body than it can hold meanwhile', async () => {
    const length = 32 * 1_048_576;
    await using w = await waiting({
      answer({ socket, received }) {
        if (received.length > length) socket.write(OK);
      },
    });
    using client = await w.dial();
    client.send(`POST /a HTTP/1.1\r\nHost: orders\r\nWait: x\r\nContent-Length: ${length}\r\n\r\n`);
    await asked(w.users, 'x');
    let drained = false;
    client.socket.once('drain', () => {
      drained = true;
    });
    client.socket.write(Buffer.alloc(length, 0x78));
    // 32 MiB are more than the kernel has room for
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(drained, false);
    w.users.allow('x');
    await client.hears(OK);
  });

  it('refuses a request whose body is not all there, and ends', async () => {
    await using w = await waiting();
    using client = await w.dial();
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nWait: x\r\nContent-Length: 9\r\n\r\nhe');
    await asked(w.users, 'x');
    w.users.refuse('x');
    assert.match(await client.ends(), /^HTTP\/1\.1 401 .*\r\nconnection: close\r\n/s);
    assert.equal(w.app.received, '');
  });

  it('keeps the order of pipelined requests, each of which may have to wait', async () => {
    await using w = await waiting({
      answer: (seen) => {
        const paths = [...seen.received.matchAll(/^GET (\S+) /gm)].map((m) => m[1]!);
        const path = paths.at(-1)!;
        seen.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`);
      },
    });
    using client = await w.dial();
    client.send(
      get('', '/1') + get('x', '/2') + get('', '/3') + get('y', '/4') + get('z', '/5') + get('', '/6'),
    );
    await client.hears('/1');
    await asked(w.users, 'x');
    // known before it is asked about
    w.users.allow('z');
    assert.equal(w.users.asked.has('y'), false);
    w.users.allow('x');
    await asked(w.users, 'y');
    w.users.refuse('y');
    await client.hears('/6');
    const answers = [...client.received.matchAll(/HTTP\/1\.1 (\d{3}).*?\r\n\r\n(\/\d|)/gs)].map(
      (m) => m[1]! + m[2]!,
    );
    assert.deepEqual(answers, ['200/1', '200/2', '200/3', '401', '200/5', '200/6']);
    assert.equal(w.users.asked.get('z'), 1);
  });

  it('serves 500 pipelined requests that all wait for the same thing', async () => {
    await using w = await waiting();
    using client = await w.dial();
    client.send(get('x').repeat(500));
    await asked(w.users, 'x');
    w.users.allow('x');
    await client.hears((text) => count(text, OK) === 500);
    assert.equal(w.users.asked.get('x'), 501);
  });

  it('is none any more when its caller is gone', async () => {
    const documents = [{ name: 'open', when: { caller: { is: 'anonymous' } } }];
    await using w = await waiting({ anonymous: 'http', documents });
    const client = await dialPlain(w.inbound.anonymous!);
    client.send(get('x'));
    await asked(w.users, 'x');
    client.socket.resetAndDestroy();
    await until(() => w.inbound.connections === 0);
    w.users.allow('x');
    using other = await dialPlain(w.inbound.anonymous!);
    other.send(get('', '/other'));
    await other.hears(OK);
    assert.doesNotMatch(w.app.received, /\/a /);
    assert.deepEqual([w.users.asked.get('x'), w.audit.events.length], [1, 1]);
  });

  it('answers a caller that has half-closed', async () => {
    await using w = await waiting();
    using client = await w.dial();
    client.send(get('x') + get());
    client.socket.end();
    await asked(w.users, 'x');
    w.users.allow('x');
    assert.equal(count(await client.ends(), OK), 2);
  });

  it('is waited for by a drain, and the answer is the last', async () => {
    await using w = await waiting();
    using client = await w.dial();
    client.send(get('x'));
    await asked(w.users, 'x');
    const closed = w.inbound.close({ deadlineMs: 5_000 });
    w.users.allow('x');
    assert.match(await client.ends(), /^HTTP\/1\.1 200 OK\r\n.*connection: close/s);
    assert.equal(await closed, 0);
  });

  it('is cut with its connection when a drain is over', async () => {
    await using w = await waiting();
    using client = await w.dial();
    client.send(get('x'));
    await asked(w.users, 'x');
    assert.equal(await w.inbound.close({ deadlineMs: 50 }), 1);
    assert.equal(await client.ends(), '');
    w.users.allow('x');
    assert.equal(w.app.received, '');
  });

  for (const endless of [false, true]) {
    it(`has its time, ${endless ? 'however often it waits' : 'and then answers 503'}`, async () => {
      await using w = await waiting({ limits: { responseMs: 300 } });
      w.users.endless = endless;
      using client = await w.dial();
      client.send(get('x') + get());
      const problem = problemIn(await client.ends());
      assert.deepEqual([problem.status, problem['code']], [503, 'not_decided']);
      w.users.allow('x');
      assert.equal(w.app.received, '');
      using next = await w.dial();
      next.send(get('x'));
      await next.hears(OK);
    });
  }

  it('gives each of several requests on a connection its own time', async () => {
    await using w = await waiting({ limits: { responseMs: 1_500 } });
    using client = await w.dial();
    client.send(get('a') + get('b') + get('c'));
    for (const name of ['a', 'b', 'c']) {
      await asked(w.users, name);
      await new Promise((resolve) => setTimeout(resolve, 800));
      w.users.allow(name);
    }
    await client.hears((text) => count(text, OK) === 3);
  });

  it('comes before a WebSocket is asked for, and before anything may be said on it', async () => {
    await using w = await waiting({ answer: echoing() });
    using client = await w.dial();
    client.send(asking('Wait: x\r\n'));
    await asked(w.users, 'x');
    assert.equal(w.app.received, '');
    w.users.allow('x');
    await client.hears('101 Switching');
    client.send('\x89\x80abcd');
    await client.hears((text) => text.endsWith('\x89\x80abcd'));
    using hasty = await w.dial();
    hasty.send(asking('Wait: y\r\n'));
    await asked(w.users, 'y');
    hasty.send('\x89\x80abcd');
    await new Promise((resolve) => setTimeout(resolve, 50));
    w.users.allow('y');
    assert.equal(problemIn(await hasty.ends()).status, 400);
    assert.doesNotMatch(w.app.received, /Wait: y/);
  });
});
