import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { ASKING, EVERYONE, TALKING } from './callers.ts';
import { createHouse, type House } from './house.ts';
import { exchange, keptCaller } from './http1-callers.ts';
import { http2Caller } from './stream-callers.ts';
import { AGAIN, faults, OK, type Outcomes, PARTED, type Place, Traffic } from './traffic.ts';

/** Exchanges that one caller has under way at once. */
const MOST_UNDER_WAY = 5;
const SLOW = { slow: (place: Place) => keptCaller(place, '/slow') };

describe('under load', function () {
  this.timeout(60_000);
  let house: House;
  before(async () => {
    house = await createHouse();
  });
  after(() => house?.[Symbol.asyncDispose]());

  /** What may happen to those under way on a sidecar that dies. */
  const bounded = (outcomes: Readonly<Record<string, Outcomes>>) => {
    for (const [kind, counts] of Object.entries(faults(outcomes, [OK, AGAIN, PARTED]))) {
      const lost = Object.values(counts).reduce((sum, count) => sum + count, 0);
      assert.ok(lost <= MOST_UNDER_WAY, `${kind}: ${JSON.stringify(counts)}`);
      for (const outcome of Object.keys(counts))
        assert.doesNotMatch(outcome, /another answer|no answer/, kind);
    }
  };

  it('sidecars that rotate ten times each fail nothing, and end no stream', async () => {
    await using traffic = new Traffic(house.place, EVERYONE);
    await traffic.moved();
    for (let i = 0; i < 10; i++) {
      await Promise.all([house.rotate('web'), house.rotate('orders')]);
      await traffic.moved(2);
    }
    assert.deepEqual(faults(await traffic.stop()), {});
  });

  it('a policy that changes is in force when it is reported to be, and fails nothing that it allows', async () => {
    await using traffic = new Traffic(house.place, EVERYONE);
    await using flipped = new Traffic(house.place, {
      kept: (place) => keptCaller(place, '/flip'),
      http2: (place) => http2Caller(place, '/flip'),
    });
    for (const allowed of [false, true, false, true]) {
      await traffic.moved(2);
      await house.allowFlip(allowed);
      const expected = allowed ? OK : '403 policy_denied';
      assert.equal(await exchange(house.place, false, 'GET', '/flip/1'), expected);
      // what was on its way when it changed
      await (allowed ? flipped.moved(4) : flipped.failed(4));
      flipped.take();
      await (allowed ? flipped.moved(8) : flipped.failed(8));
      assert.deepEqual(faults(flipped.take(), [expected]), {});
    }
    await flipped.stop();
    assert.deepEqual(faults(await traffic.stop()), {});
  });

  it("the caller's sidecar, stopped and started again, loses nothing; streams that go on are ended in their own way", async () => {
    await using traffic = new Traffic(house.place, { ...EVERYONE, ...SLOW });
    await traffic.moved();
    house.of('web').send('SIGTERM');
    assert.deepEqual(await house.of('web').ended, { code: 0, signal: null });
    await house.start('web');
    await traffic.moved();
    const outcomes = await traffic.stop();
    assert.deepEqual(faults(outcomes, [OK, AGAIN, PARTED]), {});
    for (const kind of Object.keys(TALKING)) assert.ok(outcomes[kind]?.[PARTED], kind);
    assert.deepEqual(house.shop.repeated, []);
  });

  it("the app's sidecar, stopped and started again, loses nothing", async () => {
    await using traffic = new Traffic(house.place, { ...ASKING, ...SLOW });
    await traffic.moved();
    house.of('orders').send('SIGTERM');
    assert.deepEqual(await house.of('orders').ended, { code: 0, signal: null });
    await house.start('orders');
    await traffic.moved();
    assert.deepEqual(faults(await traffic.stop(), [OK, AGAIN]), {});
    assert.deepEqual(house.shop.repeated, []);
  });

  for (const who of ['web', 'orders'] as const)
    it(`${who}'s sidecar, killed: no more is lost than was under way on it, no POST comes twice, and all is served again`, async () => {
      await using traffic = new Traffic(house.place, { ...EVERYONE, ...SLOW });
      await traffic.moved();
      await house.of(who).kill();
      await house.start(who);
      await traffic.moved();
      bounded(traffic.take());
      await traffic.moved();
      assert.deepEqual(faults(await traffic.stop()), {});
      assert.deepEqual(house.shop.repeated, []);
    });

  it('the audit is whole after all that', async () => {
    for (const who of ['web', 'orders'] as const) {
      await house.of(who).stop();
      assert.equal(await house.audited(who), '');
    }
  });
});
