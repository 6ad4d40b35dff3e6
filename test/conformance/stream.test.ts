import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pair } from '../sidecar/outbound/world.ts';
import { portOf } from '../sidecar/sockets.ts';

const GIB = 1024 ** 3;
const total = Number(process.env['SIGNET_STREAM_GB'] ?? 2) * GIB;
const PIECE = Buffer.alloc(65_536, 'Signet');
/** What memory may grow by between the first tenth of the stream and its end. */
const FLAT = 96 * 1024 ** 2;

describe('stream', () => {
  it(`${total / GIB} GiB through both sidecars with flat memory`, async () => {
    await using app = createServer((_request, response) => {
      let left = total;
      const pieces = function* () {
        for (; left > 0; left -= PIECE.length) yield PIECE;
      };
      Readable.from(pieces(), { objectMode: false }).pipe(response);
    });
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    await using p = await pair({ inbound: { appPort: (app.address() as AddressInfo).port } });
    const asked = request({ port: portOf(p.outbound.address), headers: { host: 'orders' }, path: '/stream' });
    asked.end();
    const [response] = (await once(asked, 'response')) as [Readable];
    let received = 0;
    let early = 0;
    let most = 0;
    for await (const piece of response) {
      received += (piece as Buffer).length;
      const rss = process.memoryUsage.rss();
      if (received < total / 10) early = Math.max(early, rss);
      else most = Math.max(most, rss);
    }
    assert.equal(received, total);
    assert.ok(most - early < FLAT, `from ${early} to ${most} bytes`);
  }).timeout(600_000);
});
