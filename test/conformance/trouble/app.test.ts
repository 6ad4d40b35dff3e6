import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { freePort } from '../../../harness/port.ts';
import { answering, OK as FINE } from '../../sidecar/inbound/world.ts';
import { pair } from '../../sidecar/outbound/world.ts';
import { type Seen, until } from '../../sidecar/sockets.ts';
import { ASKERS, type Heard } from './asking.ts';
import { keptCaller, newCaller } from './http1-callers.ts';
import { textOf } from './shop-app.ts';
import { http2Caller } from './stream-callers.ts';
import { AGAIN, faults, OK, Traffic } from './traffic.ts';

const TAKEN: Heard = { status: 200, body: 'ok', whole: true };
const codeOf = ({ body }: Heard) => (JSON.parse(body) as { code: string }).code;
/** What is refused as a response, and must be told so. */
const REFUSED: Readonly<Record<string, string>> = {
  garbage: '\0\x01\x02 SSH-2.0-OpenSSH_9.9\r\n\r\n',
  'another protocol': '220 smtp ready\r\n\r\n',
  'a head of a megabyte': `HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(1_048_576)}\r\n\r\n`,
  'a thousand fields': `HTTP/1.1 200 OK\r\n${'x-a: b\r\n'.repeat(1_000)}content-length: 0\r\n\r\n`,
  'a hundred interim responses': 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100),
  'two lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
};
/** More than all buffers on the way hold. */
const BIG = 'x'.repeat(40_000_000);

describe('app trouble', function () {
  this.timeout(30_000);

  for (const [protocol, ask] of Object.entries(ASKERS)) {
    it(`${protocol}: 504 for an app that is slow, as often as it is, and its connections are not kept`, async () => {
      let slow = true;
      await using p = await pair({
        inbound: {
          limits: { responseMs: 200 },
          answer: ({ socket }) =>
            void setTimeout(() => socket.writable && socket.write(FINE), slow ? 600 : 0),
        },
      });
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(p.outbound.address)));
      for (const answer of answers) assert.deepEqual([answer.status, codeOf(answer)], [504, 'app_timeout']);
      slow = false;
      for (let i = 0; i < 5; i++) assert.deepEqual(await ask(p.outbound.address), TAKEN);
      await until(() => p.app.connections.filter(({ socket }) => !socket.destroyed).length <= 1);
    });

    it(`${protocol}: 502 for an app that resets at once, and for one that says what is no response`, async () => {
      let answer = ({ socket }: Seen): void => void socket.resetAndDestroy();
      await using p = await pair({ inbound: { answer: (seen) => answer(seen) } });
      const reset = await ask(p.outbound.address, 'once');
      assert.deepEqual([reset.status, codeOf(reset)], [502, 'app_closed']);
      for (const [what, text] of Object.entries(REFUSED)) {
        answer = ({ socket }) => void socket.write(text, 'latin1');
        const heard = await ask(p.outbound.address);
        assert.deepEqual([what, heard.status, codeOf(heard)], [what, 502, 'app_response_refused']);
      }
      answer = answering();
      assert.deepEqual(await ask(p.outbound.address), TAKEN);
    });

    it(`${protocol}: the answer of an app that reads no body arrives, whole`, async () => {
      await using p = await pair({
        inbound: {
          answer: ({ socket }) => {
            socket.removeAllListeners('data');
            socket.pause();
            socket.write(FINE);
          },
        },
      });
      assert.deepEqual(await ask(p.outbound.address, BIG), TAKEN);
    });

    it(`${protocol}: an app that takes a body and never reads it is not waited for`, async () => {
      await using p = await pair({ inbound: { limits: { stallMs: 300 } } });
      p.app.onConnection = ({ socket }) => {
        socket.removeAllListeners('data');
        socket.pause();
      };
      const heard = await ask(p.outbound.address, BIG);
      // to a caller who would still be sending, the end of the connection may come before the words
      assert.ok(heard.status === 504 || heard.status === 0, JSON.stringify(heard));
    });

    it(`${protocol}: an answer that trickles arrives whole`, async () => {
      await using p = await pair({
        inbound: {
          limits: { stallMs: 1_000, responseMs: 2_000 },
          answer: ({ socket }) => {
            const bytes = [...FINE];
            const timer = setInterval(() => {
              const byte = bytes.shift();
              if (byte === undefined || !socket.writable) clearInterval(timer);
              else socket.write(byte);
            }, 5);
          },
        },
      });
      assert.deepEqual(await ask(p.outbound.address), TAKEN);
    });

    it(`${protocol}: 502 while the app is dead, and served as soon as it is back`, async () => {
      const appPort = await freePort();
      await using p = await pair({ inbound: { appPort } });
      for (let i = 0; i < 3; i++) {
        const dead = await ask(p.outbound.address);
        assert.deepEqual([dead.status, codeOf(dead)], [502, 'app_unreachable']);
        const app = createServer((_request, response) => response.end('ok')).listen(appPort, '127.0.0.1');
        await once(app, 'listening');
        assert.deepEqual(await ask(p.outbound.address), TAKEN);
        app.closeAllConnections();
        app.close();
        await once(app, 'close');
      }
    });
  }

  it('an app that starts anew every 100 ms under load: every request has its answer or is told why not, and no POST comes twice', async () => {
    const appPort = await freePort();
    await using p = await pair({ inbound: { appPort } });
    const posts = new Map<string, number>();
    const start = async () => {
      const app = createServer(async (request, response) => {
        let body = '';
        for await (const piece of request.setEncoding('latin1')) body += piece;
        const id = String(request.headers['x-request-id']);
        if (request.method === 'POST') posts.set(id, (posts.get(id) ?? 0) + 1);
        // long enough to die of
        await new Promise((resolve) => setTimeout(resolve, 20));
        response.end(request.method === 'POST' ? body : textOf(String(request.url)));
      });
      await once(app.listen(appPort, '127.0.0.1'), 'listening');
      return app;
    };
    let app = await start();
    await using traffic = new Traffic(
      { http: p.outbound.address, tcp: '' },
      { kept: keptCaller, new: newCaller, http2: http2Caller },
    );
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      app.closeAllConnections();
      app.close();
      await once(app, 'close');
      app = await start();
    }
    await traffic.moved();
    const outcomes = await traffic.stop();
    app.closeAllConnections();
    app.close();
    assert.deepEqual(
      [...posts.values()].filter((times) => times > 1),
      [],
    );
    // what may have been served is not sent again: its caller is told
    assert.deepEqual(faults(outcomes, [OK, AGAIN, '502 app_closed']), {});
    for (const [kind, { [OK]: served = 0 }] of Object.entries(outcomes)) assert.ok(served > 20, kind);
  });
});
