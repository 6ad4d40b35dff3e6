import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { createWorld, type World } from './world.ts';

describe('an outage', function () {
  this.timeout(90_000);
  let world: World;
  before(async () => {
    world = await createWorld({ storage: 'raft' });
  });
  after(() => world[Symbol.asyncDispose]());

  it('of Vault at the start is waited out', async () => {
    const orders = await world.register('start');
    await world.vault.kill();
    const sidecar = await world.sidecar(orders);
    const failed = await sidecar.waitForEvent('renewal_failed', undefined, 20_000);
    assert.equal(failed['code'], 'BROKER_UNAVAILABLE');
    const admin = await sidecar.addressOf('admin');
    assert.equal((await fetch(`http://${admin}/readyz`)).status, 503);
    await world.vault.restart();
    await sidecar.waitForEvent('ready', undefined, 45_000);
    await sidecar.stop();
  });

  it('of Vault at renewal leaves the old SVID in service, and the next one comes in time', async () => {
    const orders = await world.register('renewal', { ttl: '20s' });
    const sidecar = await world.sidecar(orders);
    await sidecar.waitForEvent('svid');
    await world.vault.kill();
    await sidecar.waitForEvent('renewal_failed', undefined, 20_000);
    const admin = await sidecar.addressOf('admin');
    assert.equal((await fetch(`http://${admin}/readyz`)).status, 200);
    await world.vault.restart();
    await sidecar.waitForEvent('svid', ({ rotation }) => rotation === 1, 20_000);
    assert.ok(!sidecar.logs().some(({ event }) => event === 'svid_expired'));
    await sidecar.stop();
  });

  it('of the broker, killed at renewal and started again, is the same', async () => {
    const orders = await world.register('broker', { ttl: '20s' });
    const sidecar = await world.sidecar(orders);
    await sidecar.waitForEvent('svid');
    await world.broker.kill();
    const failed = await sidecar.waitForEvent('renewal_failed', undefined, 20_000);
    assert.equal(failed['code'], 'BROKER_UNREACHABLE');
    await world.startBroker();
    await sidecar.waitForEvent('svid', ({ rotation }) => rotation === 1, 20_000);
    assert.ok(!sidecar.logs().some(({ event }) => event === 'svid_expired'));
    await sidecar.stop();
  });

  it('of both does not stop a sidecar that has its SVID', async () => {
    const orders = await world.register('both');
    const sidecar = await world.sidecar(orders);
    await sidecar.waitForEvent('ready');
    await Promise.all([world.broker.kill(), world.vault.kill()]);
    const admin = await sidecar.addressOf('admin');
    const rotated = await fetch(`http://${admin}/rotate`, { method: 'POST' });
    assert.equal(rotated.status, 503);
    await wait(1_000);
    assert.equal((await fetch(`http://${admin}/readyz`)).status, 200);
    assert.equal((await sidecar.stop()).code, 0);
  });
});
