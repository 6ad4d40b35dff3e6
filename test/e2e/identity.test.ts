import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { createWorld, type World } from './world.ts';

describe('identity, on a real Vault', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world[Symbol.asyncDispose]());

  it('has its first SVID within a second of its start', async () => {
    const orders = await world.register('orders');
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const sidecar = await world.sidecar(orders);
      const svid = await sidecar.waitForEvent('svid');
      assert.equal(svid['spiffe_id'], orders.id);
      times.push(Number(svid['ms_since_start']));
      await sidecar.stop();
    }
    console.log(`      first SVID after ${times.join(', ')} ms`);
    assert.ok(Math.max(...times) < 1_000);
  });
});
