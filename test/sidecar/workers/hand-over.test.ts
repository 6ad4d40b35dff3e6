import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import { upstream } from '../outbound/world.ts';
import { portOf, RawClient } from '../sockets.ts';
import { authority, clock, credentialsFor, quiet, WEB } from '../support.ts';

describe('a shared port that one of two listeners leaves', () => {
  it('resets no connection: not one that waits to be accepted, nor one that comes meanwhile', async () => {
    const ca = await authority();
    const credentials = await credentialsFor(ca, WEB);
    const begin = (port: number) =>
      createOutbound({
        listen: { host: '127.0.0.1', port, shared: true },
        upstreams: [upstream('orders', [1])],
        credentials,
        clock,
        log: quiet,
        metrics: createMetrics(),
      });
    const leaving = await begin(0);
    const port = portOf(leaving.address);
    const staying = await begin(port);
    const clients: RawClient[] = [];
    const dial = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const client = new RawClient(connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
        client.send('GET / HTTP/1.1\r\nHost: nobody\r\n\r\n');
        clients.push(client);
      }
      // the kernel has them all, and nobody has had a chance to accept one
      await new Promise((resolve) => process.nextTick(resolve));
    };
    await dial(40);
    const left = leaving.close({ deadlineMs: 20_000 });
    for (let i = 0; i < 10; i++) {
      await dial(2);
      await new Promise(setImmediate);
    }
    assert.equal(await left, 0);
    await dial(10);
    for (const client of clients) {
      assert.match(await client.hears('"unknown_upstream"'), /^HTTP\/1\.1 404 /);
      client[Symbol.dispose]();
    }
    assert.deepEqual(
      clients.filter(({ error }) => error !== null),
      [],
    );
    await staying.close({ deadlineMs: 0 });
  });
});
