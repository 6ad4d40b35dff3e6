import assert from 'node:assert/strict';
import { freePort } from '../../../harness/port.ts';
import { assertReset, until } from '../sockets.ts';
import { answering, OK, problemIn, world } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';
const post = (body: string, more = '') =>
  `POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
const count = (text: string, part: string) => text.split(part).length - 1;

describe('inbound: exchanges', () => {
  it('keeps the caller’s connection and the app’s for the next request', async () => {
    await using w = await world();
    using client = await w.dial();
    for (let i = 1; i <= 3; i++) {
      client.send(GET);
      await client.hears((text) => count(text, OK) === i);
    }
    assert.equal(w.app.connections.length, 1);
  });

  it('answers pipelined requests in order, with denied ones and bodies among them', async () => {
    await using w = await world({
      documents: [
        { name: 'all', when: { path: { starts: '/' } } },
        { name: 'none', effect: 'deny', when: { path: { is: '/none' } } },
      ],
    });
    using client = await w.dial();
    client.send(
      `${GET}${post('hello')}GET /none HTTP/1.1\r\nHost: orders\r\n\r\n${post('12345')}${post('abc', 'Connection: close\r\n')}`,
    );
    const statuses = [...(await client.ends()).matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((m) => m[1]);
    assert.deepEqual(statuses, ['200', '200', '403', '200', '200']);
    assert.equal(count(w.app.received, '/none'), 0);
  });

  it('serves 2,000 pipelined requests that are all denied', async () => {
    await using w = await world({ documents: [] });
    using client = await w.dial();
    client.send(GET.repeat(2_000));
    await client.hears((text) => count(text, 'no_rule') === 2_000);
  });

  it('answers a caller that has half-closed', async () => {
    await using w = await world({ answer: () => {} });
    using client = await w.dial();
    client.send(`${GET}${GET}`);
    client.socket.end();
    await until(() => w.app.received !== '');
    const [seen] = w.app.connections;
    seen!.socket.write(OK);
    await until(() => count(w.app.received, 'GET') === 2);
    seen!.socket.write(OK);
    assert.equal(count(await client.ends(), OK), 2);
  });

  it('drops the app’s connection when the caller goes in the middle of its request', async () => {
    await using w = await world({ answer: () => {} });
    const client = await w.dial();
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhe');
    await until(() => w.app.received.endsWith('he'));
    client.socket.destroy();
    await until(() => w.app.connections[0]!.ended);
  });

  it('drops the app’s connection when the caller goes in the middle of the answer', async () => {
    await using w = await world({
      answer: (seen) => {
        seen.socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const timer = setInterval(() => seen.socket.write('tick'), 10);
        seen.socket.on('close', () => clearInterval(timer));
      },
    });
    const client = await w.dial();
    client.send(GET);
    await client.hears('tick');
    client.socket.destroy();
    await until(() => w.app.connections[0]!.ended || w.app.connections[0]!.socket.destroyed);
  });

  it('passes 100 Continue on, and then the body', async () => {
    await using w = await world({
      answer: (seen) => {
        if (seen.received.endsWith('\r\n\r\n')) seen.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        else if (seen.received.endsWith('hello')) seen.socket.write(OK);
      },
    });
    using client = await w.dial();
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    await client.hears('100 Continue\r\n\r\n');
    client.send('hello');
    assert.equal(await client.hears('ok'), `HTTP/1.1 100 Continue\r\n\r\n${OK}`);
  });

  it('asks nobody to continue when the request is denied', async () => {
    await using w = await world({ documents: [] });
    using client = await w.dial();
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    const heard = await client.ends();
    assert.equal(problemIn(heard).status, 403);
    assert.doesNotMatch(heard, /100 Continue/);
  });

  it('answers HEAD with a head alone, its refusals too', async () => {
    await using w = await world({ answer: answering('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n') });
    using client = await w.dial();
    client.send('HEAD /a HTTP/1.1\r\nHost: orders\r\n\r\n'.repeat(2));
    await client.hears((text) => count(text, 'content-length: 99\r\n\r\n') === 2);
    await using denying = await world({ documents: [] });
    using other = await denying.dial();
    other.send('HEAD /a HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n');
    assert.match(await other.ends(), /^HTTP\/1\.1 403 Forbidden\r\n.*content-length: \d+\r\n.*\r\n\r\n$/s);
  });

  it('serves HTTP/1.0 and closes; its answers are not chunked by us', async () => {
    await using w = await world({
      answer: (seen) => {
        seen.socket.write('HTTP/1.0 200 OK\r\n\r\nuntil the end');
        seen.socket.end();
      },
    });
    using client = await w.dial();
    client.send('GET /a HTTP/1.0\r\nHost: orders\r\nConnection: keep-alive\r\n\r\n');
    assert.equal(await client.ends(), 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end');
  });

  it('resets a caller of HTTP/1.0 when the app is cut off: an end would say that it was all', async () => {
    await using w = await world({
      answer: ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\nhello');
        setTimeout(() => socket.resetAndDestroy(), 30);
      },
    });
    using client = await w.dial();
    client.send('GET /a HTTP/1.0\r\nHost: orders\r\n\r\n');
    await client.ends();
    assertReset(client);
  });

  it('cuts the caller off when the app is cut off within a body, however it is framed', async () => {
    for (const head of ['content-length: 99\r\n', 'transfer-encoding: chunked\r\n', '']) {
      await using w = await world({
        answer: (seen) => {
          seen.socket.write(
            `HTTP/1.1 200 OK\r\n${head}\r\n5\r\nhello\r\n`.slice(0, head === '' ? -3 : undefined),
          );
          setTimeout(() => (head === '' ? seen.socket.resetAndDestroy() : seen.socket.end()), 30);
        },
      });
      using client = await w.dial();
      client.send(GET);
      const heard = await client.ends();
      assert.match(heard, /hell/);
      assert.doesNotMatch(heard, /0\r\n\r\n$/);
    }
  });

  it('passes on an answer that comes before the whole request, and then ends', async () => {
    await using w = await world({
      answer: (seen) =>
        void seen.socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig'),
    });
    using client = await w.dial();
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 1000000\r\n\r\nsome');
    const heard = await client.ends();
    assert.equal(
      heard,
      'HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig',
    );
  });

  it('never uses an app connection again that said more than it was asked for', async () => {
    await using w = await world({
      answer: answering(`${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`),
    });
    using client = await w.dial();
    for (let i = 1; i <= 3; i++) {
      client.send(GET);
      await client.hears((text) => count(text, OK) === i);
    }
    assert.equal(w.app.connections.length, 3);
    assert.doesNotMatch(client.received, /evil/);
  });
});

describe('inbound: an app that fails', () => {
  it('502 when nothing listens', async () => {
    await using w = await world({ appPort: await freePort() });
    using client = await w.dial();
    client.send(GET);
    await client.hears('app_unreachable');
    client.send(post('hello'));
    await client.hears((text) => count(text, 'app_unreachable') === 2);
  });

  it('goes on after such an answer: with what was pipelined, and with its patience for an idle caller', async () => {
    await using w = await world({ appPort: await freePort(), limits: { idleMs: 200 } });
    using client = await w.dial();
    client.send(GET.repeat(3));
    assert.equal(count(await client.ends(), 'app_unreachable'), 3);
  });

  it('502 when the app closes a new connection without a word', async () => {
    await using w = await world({ answer: (seen) => seen.socket.destroy() });
    using client = await w.dial();
    client.send(GET);
    assert.equal(problemIn(await client.hears('app_closed')).status, 502);
    assert.equal(w.app.connections.length, 1);
  });

  /** Serves one request on each connection and closes it on the second. */
  const once = (seen: { received: string; socket: { write(text: string): void; destroy(): void } }) => {
    if (count(seen.received, ' HTTP/1.1\r\n') === 1) seen.socket.write(OK);
    else seen.socket.destroy();
  };

  it('asks again on a new connection when a kept one turns out dead', async () => {
    await using w = await world({ answer: once });
    using client = await w.dial();
    for (let i = 1; i <= 4; i++) {
      client.send(GET);
      await client.hears((text) => count(text, OK) === i);
    }
    assert.equal(w.app.connections.length, 4);
  });

  it('never sends twice what may have been done', async () => {
    await using w = await world({ answer: once });
    using client = await w.dial();
    client.send(post('hello'));
    await client.hears(OK);
    client.send(post('hello'));
    assert.equal(problemIn(await client.hears('app_closed')).status, 502);
    assert.equal(count(w.app.received, 'POST'), 2);
  });
});
