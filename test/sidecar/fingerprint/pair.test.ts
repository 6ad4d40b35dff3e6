import assert from 'node:assert/strict';
import { ask, openPlain } from '../http2/world.ts';
import { dialPlain } from '../sockets.ts';
import { provenPair } from './world.ts';

describe('requests proven from sidecar to sidecar', () => {
  for (const sends of ['channel', 'signed'] as const) {
    it(`go through in HTTP/1.1, and the app sees no proof (${sends})`, async () => {
      await using w = await provenPair({ sends });
      using client = await dialPlain(w.outbound.address);
      client.send('GET /a?x=1 HTTP/1.1\r\nHost: orders\r\n\r\n');
      await client.hears('ok');
      client.received = '';
      client.send('POST /b HTTP/1.1\r\nHost: orders\r\ncontent-length: 5\r\n\r\nhel');
      client.send('lo');
      await client.hears('ok');
      assert.doesNotMatch(w.app.received, /workload-proof|signet-channel/i);
      assert.match(w.app.received, /\r\n\r\nhello$/);
    });

    it(`go through in HTTP/2 (${sends})`, async () => {
      await using w = await provenPair({ sends });
      const session = await openPlain(w.outbound.address);
      try {
        const answers = await Promise.all(
          Array.from({ length: 40 }, (_, i) =>
            i % 2 === 0
              ? ask(session, { ':path': `/a?${i}` })
              : ask(session, { ':path': '/b', ':method': 'POST', 'content-length': 5 }, 'hello'),
          ),
        );
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
      } finally {
        session.destroy();
      }
    });
  }
});
