import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../sidecar/sockets.ts';
import { type Services, startServices } from './services.ts';
import { startTraffic } from './traffic.ts';
import { createWorld, type World } from './world.ts';

describe('SIGTERM under load', function () {
  this.timeout(60_000);
  let world: World;
  let services: Services;
  beforeEach(async () => {
    world = await createWorld();
    services = await startServices(world, { appMs: 100 });
  });
  afterEach(async () => {
    await services[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  it("at the app's side: what reached the app is answered, all else hears that it is gone", async () => {
    const { web, orders } = services;
    const traffic = startTraffic(await web.addressOf('outbound'));
    await until(() => services.reached >= 40);
    orders.send('SIGTERM');
    assert.deepEqual(await orders.ended, { code: 0, signal: null });
    const { '200': answered = 0, ...others } = await traffic.stop();
    assert.equal(answered, services.reached, 'each request that reached the app has its answer');
    assert.deepEqual(Object.keys(others), ['502 upstream_unreachable']);
    assert.ok(!orders.logs().some(({ event }) => event === 'drain_cut'));
  });

  it("at the caller's side: what it accepted is answered, then nobody listens", async () => {
    const { web } = services;
    const traffic = startTraffic(await web.addressOf('outbound'));
    await until(() => services.reached >= 40);
    const admin = await web.addressOf('admin');
    web.send('SIGTERM');
    await web.waitForEvent('stopping');
    const ready = await fetch(`http://${admin}/readyz`);
    assert.deepEqual(
      [ready.status, ((await ready.json()) as { missing: string[] }).missing],
      [503, ['stopping']],
    );
    assert.deepEqual(await web.ended, { code: 0, signal: null });
    const { '200': answered = 0, ...others } = await traffic.stop();
    assert.equal(answered, services.reached);
    assert.deepEqual(Object.keys(others), ['ECONNREFUSED']);
  });
});
