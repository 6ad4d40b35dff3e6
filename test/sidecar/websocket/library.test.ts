import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { type Pair, pair } from '../outbound/world.ts';
import { portOf, until } from '../sockets.ts';
import { WEB } from '../support.ts';

/** Both sidecars between the library's client and its server, which sends back what it gets. */
describe('websocket: a library at both ends', () => {
  let app: WebSocketServer;
  let p: Pair;
  before(async () => {
    app = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
    app.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    await once(app, 'listening');
    p = await pair({ inbound: { appPort: (app.address() as AddressInfo).port } });
  });
  after(async () => {
    for (const socket of app.clients) socket.terminate();
    app.close();
    await p[Symbol.asyncDispose]();
  });

  const connect = async (protocols: readonly string[] = [], deflate = false) => {
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(p.outbound.address)}/chat?room=1`, [...protocols], {
      headers: { Host: 'orders' },
      perMessageDeflate: deflate,
    });
    await once(socket, 'open');
    return socket;
  };
  const echo = async (socket: WebSocket, data: Buffer | string) => {
    const heard = once(socket, 'message');
    socket.send(data);
    return (await heard) as [Buffer, boolean];
  };

  it('the app sees who calls', async () => {
    const seen = once(app, 'connection');
    const socket = await connect(['chat']);
    const [, request] = await seen;
    assert.equal(request.headers['x-signet-caller'], WEB);
    assert.equal(request.url, '/chat?room=1');
    assert.equal(socket.protocol, 'chat');
    socket.close(4001, 'done');
    const [code, reason] = await once(socket, 'close');
    assert.deepEqual([code, String(reason)], [4001, 'done']);
  });

  for (const deflate of [false, true]) {
    it(`messages of every size come back as they were${deflate ? ', compressed' : ''}`, async () => {
      const socket = await connect([], deflate);
      for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000, 1_000_000, 8_000_000]) {
        const sent = randomBytes(size);
        const [heard, isBinary] = await echo(socket, sent);
        assert.ok(isBinary && heard.equals(sent), String(size));
      }
      const [text, isBinary] = await echo(socket, 'grüße');
      assert.deepEqual([text.toString(), isBinary], ['grüße', false]);
      socket.terminate();
    });
  }

  it('fragments, pings between them, and pieces cut anywhere', async () => {
    const socket = await connect();
    const raw = (socket as unknown as { _socket: import('node:net').Socket })._socket;
    let pongs = 0;
    socket.on('pong', () => pongs++);
    for (let round = 0; round < 20; round++) {
      const parts = Array.from({ length: 5 }, () => randomBytes(Math.floor(Math.random() * 3_000)));
      const heard = once(socket, 'message');
      const pieces: Buffer[] = [];
      const write = raw.write;
      raw.write = ((piece: Buffer) => pieces.push(Buffer.from(piece)) > 0) as typeof raw.write;
      parts.forEach((part, i) => {
        socket.send(part, { fin: i === 4 });
        socket.ping();
      });
      raw.write = write;
      const bytes = Buffer.concat(pieces);
      for (let at = 0; at < bytes.length; ) {
        const next = at + 1 + Math.floor(Math.random() * 700);
        raw.write(bytes.subarray(at, next));
        if (Math.random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
        at = next;
      }
      const [whole] = (await heard) as [Buffer];
      assert.ok(whole.equals(Buffer.concat(parts)), `round ${round}`);
    }
    await until(() => pongs === 100);
    socket.terminate();
  });

  it('many at once, each its own', async () => {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => connect()));
    await Promise.all(
      sockets.map(async (socket, i) => {
        for (let n = 0; n < 20; n++) assert.equal(String((await echo(socket, `${i}-${n}`))[0]), `${i}-${n}`);
      }),
    );
    for (const socket of sockets) socket.terminate();
    await until(() => p.inbound.connections === 0 && p.outbound.connections === 0);
  });
});
