import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../sidecar/sockets.ts';
import { type Services, startServices } from './services.ts';
import { startTraffic } from './traffic.ts';
import { createWorld, type World } from './world.ts';

describe('two workers on either side, under load', function () {
  this.timeout(120_000);
  let world: World;
  let services: Services;
  beforeEach(async () => {
    world = await createWorld();
    services = await startServices(world, { workers: 2 });
  });
  afterEach(async () => {
    await services[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  it('are replaced one after the other, and no request is lost', async () => {
    const { web, orders } = services;
    const traffic = startTraffic(await web.addressOf('outbound'), { posts: true });
    for (let round = 0; round < 2; round++) {
      for (const sidecar of [orders, web]) {
        const restarted = sidecar.nextEvent('restarted', 60_000);
        sidecar.send('SIGUSR2');
        await restarted;
      }
    }
    const outcomes = await traffic.stop();
    console.log(`      ${JSON.stringify(outcomes)}`);
    assert.deepEqual(Object.keys(outcomes), ['200']);
    assert.equal(outcomes['200'], services.reached);
    for (const sidecar of [orders, web])
      assert.ok(!sidecar.logs().some(({ event }) => event === 'drain_cut'));
  });

  it('answer all that they accepted when both sides end, the callers first', async () => {
    const { web, orders } = services;
    const traffic = startTraffic(await web.addressOf('outbound'), { posts: true });
    await until(() => services.reached >= 200);
    web.send('SIGTERM');
    assert.deepEqual(await web.ended, { code: 0, signal: null });
    const { '200': answered = 0, ...others } = await traffic.stop();
    assert.equal(answered, services.reached);
    assert.deepEqual(Object.keys(others), ['ECONNREFUSED']);
    assert.deepEqual(await orders.stop(), { code: 0, signal: null });
    for (const sidecar of [orders, web])
      assert.ok(!sidecar.logs().some(({ event }) => /^(drain_cut|worker_killed|worker_died)$/.test(event)));
  });
});
