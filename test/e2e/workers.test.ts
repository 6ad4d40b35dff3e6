import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
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

  it('are replaced without the loss of a stream, when what goes between them is HTTP/2', async () => {
    const { web, orders } = services;
    const session = connect(`http://${await web.addressOf('outbound')}`);
    let [stopped, answered] = [false, 0];
    const lane = async (number: number) => {
      while (!stopped) {
        const method = number % 2 === 0 ? 'GET' : 'POST';
        const stream = session.request({ ':method': method, ':path': '/orders/7', ':authority': 'orders' });
        const [fields] = await once(stream.end(), 'response');
        assert.equal(`${fields[':status']} ${await text(stream)}`, '200 ordered');
        answered++;
      }
    };
    const lanes = Promise.all(Array.from({ length: 8 }, (_, number) => lane(number)));
    const restarted = orders.nextEvent('restarted', 60_000);
    orders.send('SIGUSR2');
    await Promise.race([restarted, lanes]);
    await restarted;
    stopped = true;
    await lanes;
    session.destroy();
    console.log(`      ${answered} streams`);
    assert.equal(answered, services.reached);
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
