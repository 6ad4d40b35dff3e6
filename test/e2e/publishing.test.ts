import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { until } from '../broker/site.ts';
import { openPublished, type Published } from './publishing.ts';
import { startTraffic } from './traffic.ts';
import { createWorld, type World } from './world.ts';

describe('policies from the broker', function () {
  this.timeout(60_000);
  let world: World;
  let shop: Published;
  before(async () => {
    world = await createWorld();
    shop = await openPublished(world);
  });
  after(async () => {
    await shop?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });
  const inForce = (version: number) =>
    shop.orders.waitForEvent('policy', (line) => line['version'] === version, 5_000);

  it('permit nothing before the first is published, and the sidecar says what it lacks', async () => {
    await shop.orders.waitForEvent('svid');
    await until(async () => (await shop.ask()).code === 'not_decided');
    const ready = await fetch(`http://${await shop.orders.addressOf('admin')}/readyz`);
    assert.deepEqual(await ready.json(), { ready: false, missing: ['policy'] });
    assert.equal(shop.reached, 0);
  });

  it('are in force at once', async () => {
    assert.equal(await shop.publish([shop.allow('GET')]), 1);
    await inForce(1);
    await shop.orders.waitForEvent('ready');
    assert.deepEqual(await shop.ask('GET'), { status: 200, code: undefined });
    assert.equal((await shop.ask('POST')).status, 403);
  });

  it('are changed under load without a request lost, and judge every one after they are in force', async () => {
    const traffic = startTraffic(await shop.web.addressOf('outbound'), { posts: true });
    for (let version = 2; version < 6; version++) {
      const methods = version % 2 === 0 ? ['GET', 'POST'] : ['GET'];
      assert.equal(await shop.publish([shop.allow(...methods)]), version);
      await inForce(version);
      for (let i = 0; i < 20; i++) {
        assert.equal((await shop.ask('POST')).status, version % 2 === 0 ? 200 : 403, `version ${version}`);
        assert.equal((await shop.ask('GET')).status, 200);
      }
    }
    const outcomes = await traffic.stop();
    assert.deepEqual(Object.keys(outcomes).sort(), ['200', '403 no_rule']);
  });

  it('can be gone back from', async () => {
    const { stdout, code } = await shop.author('policy', 'rollback', '--json');
    assert.deepEqual([code, JSON.parse(stdout)], [0, { version: 6, from: 4, documents: 1 }]);
    await inForce(6);
    assert.equal((await shop.ask('POST')).status, 200);
  });

  it('are told by status, with who runs what', async () => {
    await until(async () => (await shop.status()).sidecars.some((s: { version: number }) => s.version === 6));
    const { published, sidecars } = await shop.status();
    assert.equal(published.version, 6);
    assert.match(published.author, /author/);
    assert.deepEqual(published.targets, [{ target: shop.callee.id, documents: ['web-may'] }]);
    assert.deepEqual(
      sidecars.map(({ spiffe_id, version, fault }: Record<string, unknown>) => [spiffe_id, version, fault]),
      [
        [shop.callee.id, 6, null],
        [shop.caller.id, null, null],
      ],
    );
  });

  it('stay in force while the broker is away, and follow when it is back', async () => {
    await world.broker.kill();
    await shop.orders.waitForEvent('policy_feed_unavailable');
    assert.equal((await shop.ask('POST')).status, 200);
    assert.equal(await shop.publish([shop.allow('GET')]), 7);
    await world.startBroker();
    await shop.orders.waitForEvent('policy', (line) => line['version'] === 7, 20_000);
    assert.equal((await shop.ask('POST')).status, 403);
    await shop.orders.waitForEvent('policy_feed_restored');
  });

  it('do not outlive the process: after a start without the broker nothing is permitted', async () => {
    const status = async () => {
      const admin = await shop.orders.addressOf('admin');
      return ((await (await fetch(`http://${admin}/status`)).json()) as { policy: object }).policy;
    };
    const { version, stale, source, fault } = (await status()) as Record<string, unknown>;
    assert.deepEqual(
      { version, stale, source, fault },
      { version: 7, stale: false, source: 'broker', fault: null },
    );
  });

  it('may name sets, hold regular expressions and be for a pattern of services', async () => {
    const shared = { level: 'root', target: shop.callee.id.replace(/\/[^/]*$/, '/*'), mode: 'enforce' };
    const set = {
      sets: { callers: [shop.caller.id, '$more'], more: ['spiffe://example.org/none/**'] },
      policies: [
        {
          ...{ ...shared, name: 'callers', effect: 'allow' },
          when: { all: [{ caller: { in: '$callers' } }, { path: { matches: '/orders/[0-9]+' } }] },
        },
        { ...shared, name: 'no-puts', effect: 'deny', when: { method: { is: 'PUT' } } },
      ],
    };
    const file = join(world.dir, 'sets.json');
    await writeFile(file, JSON.stringify(set));
    const { stdout, stderr, code } = await shop.author('policy', 'publish', file, '--json');
    assert.equal(code, 0, stdout + stderr);
    await inForce(8);
    assert.deepEqual(
      [await shop.ask('POST'), await shop.ask('PUT')],
      [
        { status: 200, code: undefined },
        { status: 403, code: 'policy_denied' },
      ],
    );
  });
});
