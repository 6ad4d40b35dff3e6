import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { createWorld, type Registered, type World } from './world.ts';

const [library = ''] = globSync('/usr/lib/{*/,}faketime/libfaketime.so.1');

describe('a wrong clock', function () {
  this.timeout(60_000);
  let world: World;
  let orders: Registered;
  before(async () => {
    assert.notEqual(library, '', 'the Debian package faketime is needed');
    world = await createWorld();
    orders = await world.register('orders');
  });
  after(() => world[Symbol.asyncDispose]());

  /** The sidecar's wall clock is wrong by what the file says, whenever it says so; its monotonic clock is right. */
  const astray = (file: string) => ({
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  });

  it('90 s ahead is told, and does no harm', async () => {
    const file = join(world.dir, 'ahead');
    await writeFile(file, '+90s');
    const sidecar = await world.sidecar(orders, astray(file));
    const svid = await sidecar.waitForEvent('svid');
    assert.ok(Number(svid['ttl_seconds']) < 815, 'its life is shorter here');
    const told = await sidecar.waitForEvent('clock_skew');
    assert.ok(Math.abs(Number(told['ahead_seconds']) - 90) < 2);
    const admin = await sidecar.addressOf('admin');
    assert.match(
      await (await fetch(`http://${admin}/metrics`)).text(),
      /^signet_clock_skew_seconds (89|90|91)/m,
    );
    await sidecar.stop();
  });

  it('90 s behind is blamed by its name, and set right it works', async () => {
    const file = join(world.dir, 'behind');
    await writeFile(file, '-90s');
    const sidecar = await world.sidecar(orders, astray(file));
    const failed = await sidecar.waitForEvent('renewal_failed');
    assert.equal(failed['code'], 'CLOCK_BEHIND');
    assert.match(String(failed['message']), /clock/);
    await writeFile(file, '+0s');
    await sidecar.waitForEvent('svid', undefined, 20_000);
    await sidecar.stop();
  });
});
