import assert from 'node:assert/strict';
import { answering, OK, problemIn, world } from '../inbound/world.ts';
import { pair } from '../outbound/world.ts';
import { dialPlain, until } from '../sockets.ts';
import { ALLOW_WEB, WEB } from '../support.ts';
import { ACCEPT, asking, echoing, KEY, switching } from './handshake.ts';

const PING = '\x89\x80abcd';
const NEXT = 'GET /admin HTTP/1.1\r\nHost: orders\r\n\r\n';

describe('websocket: the upgrade', () => {
  it('is judged as any request, forwarded in one form, and spliced', async () => {
    await using w = await world({ answer: echoing() });
    using client = await w.dial();
    client.send(
      asking('X-Signet-Caller: spiffe://example.org/ns/shop/sa/admin\r\nSec-WebSocket-Protocol: a, b\r\n'),
    );
    await client.hears('\r\n\r\n');
    assert.equal(
      w.app.received,
      `GET /chat HTTP/1.1\r\nHost: orders\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Protocol: a, b\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-signet-caller: ${WEB}\r\n\r\n`,
    );
    assert.equal(
      client.received,
      `HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ${ACCEPT}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n`,
    );
    client.send(PING);
    await client.hears((text) => text.endsWith(PING));
    const [decision] = w.audit.events;
    assert.deepEqual(
      [decision?.['type'], decision?.['method'], decision?.['path'], decision?.['effect']],
      ['decision', 'GET', '/chat', 'allow'],
    );
  });

  it('is refused by policy before the app sees a byte', async () => {
    const when = { all: [{ caller: { is: WEB } }, { path: { like: '/chat' } }] };
    await using w = await world({ answer: echoing(), documents: [{ ...ALLOW_WEB, when }] });
    using client = await w.dial();
    client.send(asking('', '/admin'));
    assert.equal(problemIn(await client.hears('decision_id')).status, 403);
    assert.equal(w.app.received, '');
  });

  it('leaves one decision and, at the end, one record of what was carried', async () => {
    await using w = await world({ answer: echoing() });
    using client = await w.dial();
    client.send(asking());
    await client.hears('\r\n\r\n');
    client.send(PING);
    await client.hears((text) => text.endsWith(PING));
    client.socket.end();
    await client.ends();
    await until(() => w.audit.events.length === 2);
    const [decision, end] = w.audit.events;
    const { ms, ...rest } = end as unknown as Record<string, unknown>;
    assert.equal(typeof ms, 'number');
    assert.deepEqual(rest, {
      type: 'end',
      id: decision?.['id'],
      caller: WEB,
      serial: decision?.['serial'],
      protocol: 'websocket',
      received: PING.length,
      sent: PING.length,
      reason: 'ended',
    });
  });

  it('of another version is told which one is served', async () => {
    await using w = await world({ answer: echoing() });
    using client = await w.dial();
    client.send(asking().replace('Version: 13', 'Version: 8'));
    assert.match(await client.ends(), /^HTTP\/1\.1 426 .*\r\nsec-websocket-version: 13\r\n/s);
  });

  it('may be declined: the answer is an ordinary one, and the connection stays', async () => {
    await using w = await world({
      answer: answering(
        'HTTP/1.1 401 No\r\nUpgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nno',
      ),
    });
    using client = await w.dial();
    client.send(asking());
    assert.equal(await client.hears('no'), 'HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno');
    client.send(NEXT);
    await client.hears((text) => text.split('401 No').length === 3);
  });
});

describe('websocket: an answer that does not agree is no WebSocket', () => {
  const accept = `Sec-WebSocket-Accept: ${ACCEPT}\r\n`;
  const cases: readonly (readonly [name: string, answer: string])[] = [
    ['of another key', switching('Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n')],
    ['without a proof', switching('')],
    ['proved twice', switching(accept + accept)],
    ['proved under an alias', switching(accept.replaceAll('-', '_'))],
    ['with an extension that was not offered', switching(`${accept}Sec-WebSocket-Extensions: x-mux\r\n`)],
    ['with a protocol that was not offered', switching(`${accept}Sec-WebSocket-Protocol: mqtt\r\n`)],
    ['with two protocols', switching(`${accept}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n`)],
    ['without Upgrade', switching(accept).replace('Upgrade: websocket\r\n', '')],
    ['without Connection', switching(accept).replace('Connection: Upgrade\r\n', '')],
    ['to another protocol', switching(accept).replace('websocket', 'h2c')],
    ['to two protocols', switching(`${accept}Upgrade: h2c\r\n`)],
    ['with a length', switching(`${accept}Content-Length: 0\r\n`)],
    ['in chunks', switching(`${accept}Transfer-Encoding: chunked\r\n`)],
    ['in HTTP/1.0', switching(accept).replace('HTTP/1.1', 'HTTP/1.0')],
  ];
  for (const [name, answer] of cases)
    it(name, async () => {
      await using w = await world({
        answer: ({ socket, received }) => void (received.endsWith('\r\n\r\n') && socket.write(answer)),
      });
      using client = await w.dial();
      client.send(
        asking('Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate; x=1\r\n'),
      );
      const problem = problemIn(await client.hears('application/problem+json'));
      assert.deepEqual([problem.status, problem['code']], [502, 'app_response_refused']);
      await until(() => w.app.connections[0]!.socket.destroyed || w.app.connections[0]!.ended);
    });

  it('to a request that asked for nothing', async () => {
    await using w = await world({ answer: ({ socket }) => void socket.write(switching()) });
    using client = await w.dial();
    client.send(NEXT);
    assert.equal(problemIn(await client.hears('problem'))['code'], 'app_response_refused');
  });

  it('to a request behind one that was declined', async () => {
    let n = 0;
    await using w = await world({
      answer: ({ socket }) => void socket.write(n++ === 0 ? OK : switching()),
    });
    using client = await w.dial();
    client.send(asking());
    await client.hears('ok');
    client.send(NEXT);
    assert.equal(problemIn(await client.hears('app_response'))['code'], 'app_response_refused');
  });
});

describe('websocket: smuggling behind the upgrade', () => {
  for (const [name, behind] of [
    ['a frame', PING],
    ['a request', NEXT],
    ['one byte', 'G'],
  ] as const) {
    it(`${name} in the same piece reaches nobody`, async () => {
      await using w = await world({ answer: echoing() });
      using client = await w.dial();
      client.send(asking() + behind);
      assert.equal(problemIn(await client.ends())['code'], 'upgrade_pipelined');
      assert.equal(w.app.received, '');
    });

    it(`${name} before the answer ends it all`, async () => {
      await using w = await world({ answer: () => {} });
      using client = await w.dial();
      client.send(asking());
      await until(() => w.app.received.endsWith('\r\n\r\n'));
      client.send(behind);
      assert.equal(problemIn(await client.ends())['code'], 'upgrade_pipelined');
      assert.match(w.app.received, /\r\n\r\n$/);
      assert.equal(w.audit.events.filter(({ type }) => type === 'decision').length, 1);
    });
  }

  it('what the app sends behind its 101 belongs to the WebSocket', async () => {
    await using w = await world({
      answer: ({ socket, received }) =>
        void (received.endsWith('\r\n\r\n') && socket.write(`${switching()}\x81\x02hi`, 'latin1')),
    });
    using client = await w.dial();
    client.send(asking());
    assert.match(await client.hears('hi'), /\r\n\r\n\x81\x02hi$/);
  });

  it('after the 101 nothing is read as a request any more', async () => {
    await using p = await pair({ inbound: { answer: echoing() } });
    using client = await dialPlain(p.outbound.address);
    client.send(asking());
    await client.hears('\r\n\r\n');
    client.send(NEXT);
    await client.hears((text) => text.endsWith(NEXT));
    assert.equal(p.audit.events.length, 1);
  });
});
