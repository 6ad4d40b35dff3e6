import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pair } from '../sidecar/outbound/world.ts';
import { portOf } from '../sidecar/sockets.ts';

const GIB = 1024 ** 3;
const asked = process.env['SIGNET_STREAM_GB'];
const down = Number(asked ?? (process.env['CI'] === 'true' ? 10 : 2)) * GIB;
const up = Number(asked ?? 2) * GIB;
const PIECE = Buffer.alloc(65_536, 'Signet');
/** What memory may grow by between the first tenth of the stream and its end. */
const FLAT = 96 * 1024 ** 2;

function pieces(total: number): Readable {
  const all = function* () {
    for (let left = total; left > 0; left -= PIECE.length) yield PIECE;
  };
  return Readable.from(all(), { objectMode: false });
}

/** Reads a stream to its end and watches over this process, in which both sidecars are. */
async function takeAll(stream: Readable, total: number): Promise<void> {
  let [received, early, most] = [0, 0, 0];
  for await (const piece of stream) {
    received += (piece as Buffer).length;
    const rss = process.memoryUsage.rss();
    if (received < total / 10) early = Math.max(early, rss);
    else most = Math.max(most, rss);
  }
  assert.equal(received, total);
  assert.ok(most - early < FLAT, `from ${early} to ${most} bytes`);
}

describe('stream', function () {
  this.timeout(600_000);

  /** A request for `listener` through both sidecars. */
  async function through(listener: RequestListener, ask: (port: number) => Promise<void>): Promise<void> {
    await using app = createServer(listener);
    app.requestTimeout = 0;
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    await using p = await pair({ inbound: { appPort: (app.address() as AddressInfo).port } });
    await ask(portOf(p.outbound.address));
  }

  it(`${down / GIB} GiB down through both sidecars with flat memory`, () =>
    through(
      (_request, response) => void pieces(down).pipe(response),
      async (port) => {
        const sent = request({ port, headers: { host: 'orders' }, path: '/stream' }).end();
        const [response] = (await once(sent, 'response')) as [IncomingMessage];
        await takeAll(response, down);
      },
    ));

  it(`${up / GIB} GiB up through both sidecars with flat memory`, () => {
    const taken = Promise.withResolvers<void>();
    return through(
      (received, response) => {
        takeAll(received, up).then(taken.resolve, taken.reject);
        received.on('end', () => response.end('taken'));
      },
      async (port) => {
        const sent = request({ port, method: 'POST', headers: { host: 'orders' }, path: '/stream' });
        pieces(up).pipe(sent);
        await taken.promise;
        const [response] = (await once(sent, 'response')) as [IncomingMessage];
        assert.equal(response.statusCode, 200);
        response.resume();
        await once(response, 'end');
      },
    );
  });
});
