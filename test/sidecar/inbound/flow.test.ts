import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DIGEST, MIB, POURED, peak, pour, ROOM } from '../pouring.ts';
import { until } from '../sockets.ts';
import { world } from './world.ts';

describe('inbound: 200 MiB with flat memory', function () {
  this.timeout(60_000);

  it('up, into an app that reads slowly at first', async () => {
    const hash = createHash('sha256');
    let bodyBytes = -1;
    await using w = await world({ answer: () => {} });
    w.app.onConnection = ({ socket }) => {
      socket.removeAllListeners('data');
      socket.pause();
      setTimeout(() => socket.resume(), 300);
      let head = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        if (bodyBytes === -1) {
          head = Buffer.concat([head, chunk]);
          const end = head.indexOf('\r\n\r\n');
          if (end === -1) return;
          bodyBytes = 0;
          chunk = head.subarray(end + 4);
        }
        hash.update(chunk);
        bodyBytes += chunk.length;
        if (bodyBytes === POURED) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
    };
    using client = await w.dial();
    const most = await peak(async () => {
      client.send(`POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: ${POURED}\r\n\r\n`);
      await pour(client.socket);
      await client.hears('200 OK');
    });
    assert.equal(hash.digest('hex'), DIGEST);
    assert.ok(most < ROOM, `${Math.round(most / MIB)} MiB`);
  });

  for (const framing of [`content-length: ${POURED}\r\n`, '']) {
    it(`down, to a caller that reads slowly at first, ${framing === '' ? 'until the app closes' : 'by length'}`, async () => {
      await using w = await world({
        answer: ({ socket }) => {
          socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n`);
          void pour(socket).then(() => socket.end());
        },
      });
      using client = await w.dial();
      const hash = createHash('sha256');
      let bytes = 0;
      let head = Buffer.alloc(0);
      client.socket.removeAllListeners('data');
      client.socket.pause();
      const most = await peak(async () => {
        client.send('GET /a HTTP/1.0\r\nHost: orders\r\n\r\n');
        setTimeout(() => client.socket.resume(), 300);
        client.socket.on('data', (chunk: Buffer) => {
          if (bytes === 0) {
            head = Buffer.concat([head, chunk]);
            const end = head.indexOf('\r\n\r\n');
            if (end === -1) return;
            chunk = head.subarray(end + 4);
          }
          hash.update(chunk);
          bytes += chunk.length;
        });
        await until(
          () => client.closed,
          () => `${bytes} bytes`,
        );
      });
      assert.equal(hash.digest('hex'), DIGEST);
      assert.ok(most < ROOM, `${Math.round(most / MIB)} MiB`);
    });
  }
});
