import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'mocha';
import { freePort } from '../../harness/port.ts';
import { openPublished } from './publishing.ts';
import { createWorld } from './world.ts';

describe('policies from the broker, of several workers', function () {
  this.timeout(90_000);

  it('are each one’s own: all of them follow, and a new one has the present version before it serves', async () => {
    await using world = await createWorld();
    await using shop = await openPublished(world);
    const app = createServer((_request, response) => void response.end('ordered'));
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    assert.equal(await shop.publish([shop.allow('GET')]), 1);
    const port = await freePort();
    await using crew = await world.sidecar(shop.callee, {
      SIGNET_MODE: 'service',
      SIGNET_WORKERS: '2',
      SIGNET_INBOUND: `127.0.0.1:${port}->127.0.0.1:${(app.address() as AddressInfo).port}`,
      SIGNET_AUDIT: '-',
    });
    await crew.waitForEvent('ready', (line) => line['worker'] === undefined, 30_000);
    const versions = async () => {
      const { sidecars } = await shop.status();
      return sidecars
        .filter((each: { spiffe_id: string }) => each.spiffe_id === shop.callee.id)
        .map((each: { version: number }) => each.version);
    };
    const workersIn = (version: number) =>
      Promise.all(
        [1, 2].map((worker) =>
          crew.waitForEvent('policy', (line) => line['version'] === version && line['worker'] === worker),
        ),
      );
    await workersIn(1);
    assert.equal(await shop.publish([shop.allow('GET', 'POST')]), 2);
    await workersIn(2);
    assert.equal((await versions()).length, 3);
    const restarted = crew.nextEvent('restarted', 60_000);
    crew.send('SIGUSR2');
    await restarted;
    const fresh = crew.logs().filter(({ event, worker }) => event === 'policy' && Number(worker) > 2);
    assert.ok(fresh.length > 0 && fresh.every(({ version }) => version === 2));
    app.closeAllConnections();
    app.close();
  });
});
