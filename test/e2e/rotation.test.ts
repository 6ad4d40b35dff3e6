import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Services, startServices } from './services.ts';
import { startTraffic } from './traffic.ts';
import { createWorld, SHORT_TTL, type World } from './world.ts';

describe('rotation under traffic', function () {
  this.timeout(90_000);
  let world: World;
  let services: Services;
  before(async () => {
    world = await createWorld();
    services = await startServices(world, { ttl: SHORT_TTL });
  });
  after(async () => {
    await services[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  it('of both ends, three times each, fails no request', async () => {
    const { web, orders } = services;
    const traffic = startTraffic(await web.addressOf('outbound'));
    const third = ({ rotation }: { readonly [field: string]: unknown }) => rotation === 3;
    await Promise.all([orders.waitForEvent('svid', third, 30_000), web.waitForEvent('svid', third, 30_000)]);
    const outcomes = await traffic.stop();
    console.log(`      ${JSON.stringify(outcomes)}`);
    assert.deepEqual(Object.keys(outcomes), ['200']);
    assert.ok(Number(outcomes['200']) > 500);
    for (const sidecar of [orders, web]) {
      const serials = sidecar.logs().filter(({ event }) => event === 'svid');
      assert.equal(new Set(serials.map(({ serial }) => serial)).size, serials.length, 'a new SVID each time');
    }
  });

  it('as often as SIGHUP asks for it, too', async () => {
    const { web, orders } = services;
    const traffic = startTraffic(await web.addressOf('outbound'));
    for (let i = 0; i < 10; i++) {
      for (const sidecar of [orders, web]) {
        const count = sidecar.logs().filter(({ event }) => event === 'svid').length;
        sidecar.send('SIGHUP');
        await sidecar.waitForEvent('svid', ({ rotation }) => Number(rotation) >= count);
      }
    }
    assert.deepEqual(Object.keys(await traffic.stop()), ['200']);
  });
});
