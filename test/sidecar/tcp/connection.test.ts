import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { DIGEST, MIB, POURED, peak, pour, ROOM, slowly } from '../pouring.ts';
import { dialPlain, dialTls, type Seen, until } from '../sockets.ts';
import { credentialsFor, WEB } from '../support.ts';
import { type RawPair, rawPair } from './world.ts';

const ADMIN = 'spiffe://example.org/ns/shop/sa/admin';
const echo = ({ socket, received }: Seen) => void socket.write(received.slice(-1), 'latin1');
const reasons = ({ audit }: RawPair) =>
  audit.events.filter(({ type }) => type === 'end').map((end) => end['reason']);

describe('tcp: who may connect', () => {
  it('judges a connection once, by its method CONNECT and the port of the app', async () => {
    await using p = await rawPair({ answer: echo });
    using client = await p.dial();
    client.send('ab');
    await client.hears('b');
    client.send('c');
    await client.hears('bc');
    client.socket.end();
    await client.ends();
    await until(() => p.audit.events.length === 2);
    const [decision, end] = p.audit.events;
    assert.deepEqual(
      ['type', 'effect', 'method', 'path', 'caller'].map((key) => decision?.[key]),
      ['decision', 'allow', 'CONNECT', p.path, WEB],
    );
    assert.deepEqual(
      ['id', 'protocol', 'received', 'sent', 'reason'].map((key) => end?.[key]),
      [decision?.['id'], 'tcp', 3, 2, 'ended'],
    );
  });

  for (const [name, when] of [
    ['another port', { path: { is: '/tcp/1' } }],
    ['HTTP', { method: { in: ['GET', 'POST'] } }],
    ['another caller', { caller: { is: ADMIN } }],
  ] as const)
    it(`is reset before the app hears of it when only ${name} is allowed`, async () => {
      await using p = await rawPair({ documents: () => [{ name: 'other', when }] });
      using client = await p.dial();
      client.send('secret');
      await client.ends();
      assert.equal(client.error?.code, 'ECONNRESET');
      assert.deepEqual([p.app.connections.length, p.audit.events[0]?.['effect']], [0, 'deny']);
    });

  it('is reset, and nothing sent, when the server may not answer for the name', async () => {
    await using p = await rawPair({ serverIds: [ADMIN] });
    using client = await p.dial();
    client.send('secret');
    await client.ends();
    assert.equal(client.error?.code, 'ECONNRESET');
    assert.deepEqual([p.app.connections.length, p.audit.events], [0, []]);
  });

  it('is reset when the app does not listen', async () => {
    await using p = await rawPair();
    await p.app[Symbol.asyncDispose]();
    using client = await p.dial();
    await client.ends();
    assert.equal(client.error?.code, 'ECONNRESET');
  });

  for (const [name, options, served] of [
    ['signet-tcp', { ALPNProtocols: ['signet-tcp'] }, true],
    ['no protocol', {}, true],
    ['http/1.1', { ALPNProtocols: ['http/1.1'] }, false],
    ['h2', { ALPNProtocols: ['h2'] }, false],
  ] as const)
    it(`a client that names ${name} is ${served ? 'served' : 'refused'}`, async () => {
      await using p = await rawPair({ answer: echo });
      using client = await dialTls(p.inbound.tcp[0]!, await credentialsFor(p.ca, WEB), {
        ...options,
      } as object);
      client.send('x');
      if (served) await client.hears('x');
      else await client.ends();
      assert.equal(p.app.received, served ? 'x' : '');
    });

  it('a raw upstream has no name that HTTP could ask for', async () => {
    await using p = await rawPair();
    using client = await dialPlain(p.outbound.address);
    client.send('GET / HTTP/1.1\r\nHost: db\r\n\r\n');
    await client.hears('unknown_upstream');
  });
});

describe('tcp: the life of a connection', () => {
  it('a server that speaks first is heard', async () => {
    await using p = await rawPair();
    p.app.onConnection = ({ socket }) => void socket.write('hello');
    using client = await p.dial();
    await client.hears('hello');
  });

  it('each direction ends by itself', async () => {
    await using p = await rawPair();
    p.app.onConnection = ({ socket }) => {
      socket.removeAllListeners('end');
      socket.on('end', () => setTimeout(() => socket.end('answer'), 100));
    };
    using client = await p.dial();
    client.socket.end('question');
    assert.equal(await client.ends(), 'answer');
    assert.equal(client.error, null);
    assert.equal(p.app.received, 'question');
  });

  for (const who of ['client', 'app'] as const)
    it(`a ${who} that breaks off resets the other: it is not taken for the end`, async () => {
      await using p = await rawPair({ answer: echo });
      using client = await p.dial();
      client.send('x');
      await client.hears('x');
      const app = p.app.connections[0]!;
      let error: string | undefined;
      app.socket.on('error', (e: NodeJS.ErrnoException) => {
        error = e.code;
      });
      if (who === 'client') client.socket.resetAndDestroy();
      else app.socket.resetAndDestroy();
      await until(() => client.closed && app.socket.destroyed);
      assert.equal(who === 'client' ? error : client.error?.code, 'ECONNRESET');
      assert.equal(app.ended, false);
      await until(() => reasons(p).length === 1);
      assert.deepEqual(reasons(p), ['broken']);
    });

  it('goes on while it drains, and is reset at its end', async () => {
    await using p = await rawPair({ answer: echo });
    using client = await p.dial();
    client.send('x');
    await client.hears('x');
    const closed = p.inbound.close({ deadlineMs: 1_500 });
    client.send('y');
    await client.hears('xy');
    await client.ends();
    assert.equal(client.error?.code, 'ECONNRESET');
    assert.equal(await closed, 0);
    assert.deepEqual(reasons(p), ['drained']);
  });

  it('ends when nothing moves for too long', async () => {
    await using p = await rawPair({ limits: { spliceIdleMs: 300 } });
    using client = await p.dial();
    await client.ends();
    await until(() => reasons(p).length === 1);
    assert.deepEqual(reasons(p), ['idle']);
  });

  it('is cut when its peer is denied', async () => {
    let reason: string | null = null;
    await using p = await rawPair({ answer: echo, denied: () => reason });
    using client = await p.dial();
    client.send('x');
    await client.hears('x');
    reason = 'id';
    assert.equal(p.inbound.recheck(), 1);
    await client.ends();
    assert.deepEqual(reasons(p), ['cut']);
    using again = await p.dial();
    await again.ends();
    assert.equal(p.app.connections.length, 1);
  });

  it('is cut when the certificate it was made with expires', async () => {
    await using p = await rawPair({ answer: echo, notAfter: new Date(Date.now() + 3_000) });
    using client = await p.dial();
    client.send('x');
    await client.hears('x');
    await client.ends();
    assert.deepEqual(reasons(p), ['cut']);
  });
});

describe('tcp: somebody on the way', () => {
  for (const towards of ['client', 'app'] as const)
    for (const [what, garbage] of [
      [
        'ends it behind bytes that are not TLS',
        Buffer.from(`\x17\x03\x03\x00\x20${'x'.repeat(32)}`, 'latin1'),
      ],
      ['ends it behind an alert that nobody sealed', Buffer.from([0x15, 3, 3, 0, 2, 1, 0])],
    ] as const)
      it(`who ${what}: the ${towards} does not take it for whole`, async () => {
        const sides: { client: Socket; app: Socket }[] = [];
        await using middle = createServer((client) => {
          const app = connect({ host: '127.0.0.1', port: target });
          for (const [from, to] of [
            [client, app],
            [app, client],
          ] as const) {
            from.on('data', (piece) => to.write(piece));
            from.on('error', () => {});
            from.on('close', () => to.destroy());
          }
          sides.push({ client, app });
        });
        let target = 0;
        await using p = await rawPair({
          answer: echo,
          between: async (port) => {
            target = port;
            middle.listen(0, '127.0.0.1');
            await once(middle, 'listening');
            return (middle.address() as AddressInfo).port;
          },
        });
        using client = await p.dial();
        client.send('x');
        await client.hears('x');
        const app = p.app.connections[0]!;
        let error: string | undefined;
        app.socket.on('error', (e: NodeJS.ErrnoException) => {
          error = e.code;
        });
        sides[0]![towards].end(garbage);
        await until(() => client.closed && app.socket.destroyed);
        assert.deepEqual([client.error?.code, error], ['ECONNRESET', 'ECONNRESET']);
        assert.equal(app.ended, false);
      });
});

describe('tcp: bytes', function () {
  this.timeout(60_000);

  it('come through as they are, cut anywhere, both ways at once', async () => {
    await using p = await rawPair();
    p.app.onConnection = ({ socket }) => {
      socket.removeAllListeners('data');
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
    };
    const echoed = async () => {
      using client = await p.dial();
      const sent = randomBytes(300_000);
      for (let at = 0; at < sent.length; ) {
        const next = at + 1 + Math.floor(Math.random() * 20_000);
        client.socket.write(sent.subarray(at, next));
        if (Math.random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
        at = next;
      }
      client.socket.end();
      assert.ok(Buffer.from(await client.ends(), 'latin1').equals(sent));
    };
    await Promise.all(Array.from({ length: 10 }, echoed));
    await until(() => reasons(p).length === 10);
    assert.deepEqual(new Set(reasons(p)), new Set(['ended']));
  });

  for (const from of ['client', 'app'] as const)
    it(`200 MiB from the ${from}, to one that reads slowly at first, with flat memory`, async () => {
      await using p = await rawPair();
      using client = await p.dial();
      await until(() => p.app.connections.length === 1);
      const app = p.app.connections[0]!.socket;
      const [writer, reader] = from === 'client' ? [client.socket, app] : [app, client.socket];
      const read = slowly(reader);
      const most = await peak(async () => {
        await pour(writer);
        writer.end();
        await until(
          () => read.bytes === POURED,
          () => `${read.bytes} bytes`,
        );
      });
      assert.equal(read.digest(), DIGEST);
      assert.ok(most < ROOM, `${Math.round(most / MIB)} MiB`);
    });
});
