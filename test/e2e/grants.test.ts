import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import type { LoggingProcess } from '../../harness/processes.ts';
import { type ScriptedBroker, startScriptedBroker } from '../fakes/scripted-broker.ts';
import { startThief } from '../fakes/thief.ts';
import { createWorld, type Registered, type World } from './world.ts';

const ROLE = 'auth/token/create/signet-acme.shop_orders';

describe('a grant, on a real Vault', function () {
  this.timeout(60_000);
  let world: World;
  let orders: Registered;
  before(async () => {
    world = await createWorld();
    orders = await world.register('orders');
    await world.register('admin');
  });
  after(() => world[Symbol.asyncDispose]());

  it('that a thief unwraps first raises the alarm here and at the broker, and the next one is used', async () => {
    await using thief = await startThief(world.vault.address);
    const sidecar = await world.sidecar(orders, { VAULT_ADDR: thief.address });
    const alarm = await sidecar.waitForEvent('theft_alarm');
    assert.deepEqual(
      [alarm['level'], alarm['code'], alarm['spiffe_id']],
      ['alarm', 'GRANT_STOLEN', orders.id],
    );
    const heard = await world.broker.waitForEvent(
      'theft_alarm',
      (line) => line['correlation_id'] === alarm['correlation_id'],
    );
    assert.equal(heard['level'], 'alarm');
    const metrics = await fetch(`http://${await world.broker.addressOf('admin')}/metrics`);
    assert.match(await metrics.text(), /^signet_broker_theft_alarms_total [1-9]/m);

    // The broker has revoked what was stolen, by the accessor alone.
    const token = thief.tokens[0]!;
    const status = async () =>
      (await world.vault.request('GET', 'auth/token/lookup-self', undefined, { token })).status;
    let seen = await status();
    // while Vault is at it, it answers 500
    for (let tries = 0; seen === 500 && tries < 50; tries++) {
      await wait(50);
      seen = await status();
    }
    assert.equal(seen, 403);
    thief.stealing = false;
    await sidecar.waitForEvent('svid', undefined, 30_000);
    await sidecar.stop();
  });

  describe('from a broker that lies', () => {
    let broker: ScriptedBroker;
    let sidecar: LoggingProcess;
    let wrapTtl: string;
    beforeEach(async () => {
      wrapTtl = '60s';
      const root = new X509Certificate((await world.vault.request('GET', 'signet-pki-root/ca/pem')).body);
      const wrap = async (path: string) => {
        const order = { entity_alias: 'ns/shop/sa/orders', num_uses: 1 };
        return (await world.vault.request('POST', path, order, { wrapTtl })).body.wrap_info.token as string;
      };
      broker = await startScriptedBroker({
        vault: { address: world.vault.address, root: { der: root.raw }, wrap },
      });
      await writeFile(join(world.dir, 'lying.pem'), broker.ca);
    });
    afterEach(async () => {
      await sidecar.stop();
      await broker[Symbol.asyncDispose]();
    });
    const start = async () => {
      sidecar = await world.sidecar(orders, {
        SIGNET_BROKER_URL: broker.url.origin,
        SIGNET_BROKER_CA: join(world.dir, 'lying.pem'),
      });
      return sidecar;
    };

    it('is good when the broker does not lie', async () => {
      const svid = await (await start()).waitForEvent('svid');
      assert.equal(svid['spiffe_id'], orders.id);
    });

    it('mints no other ID than its own', async () => {
      broker.granted = { ...broker.granted, id: 'spiffe://example.org/ns/shop/sa/admin' };
      const failed = await (await start()).waitForEvent('renewal_failed');
      assert.deepEqual([failed['code'], failed['reason']], ['VAULT_REFUSED', 'status_400']);
    });

    it('mints once: the second use is refused', async () => {
      let first = '';
      broker.distort = ({ grant }) => (first ||= grant.wrapping_token);
      await (await start()).waitForEvent('svid');
      broker.distort = (answer) => (answer.grant.wrapping_token = first);
      sidecar.send('SIGHUP');
      const failed = await sidecar.waitForEvent('renewal_failed');
      assert.equal(failed['code'], 'GRANT_STOLEN');
    });

    it('that comes late is no theft', async () => {
      wrapTtl = '3s';
      broker.distort = async ({ grant }) => {
        grant.expires_at = new Date(Date.now() + 3_000).toISOString();
        await wait(3_500);
      };
      const failed = await (await start()).waitForEvent('renewal_failed');
      assert.equal(failed['code'], 'GRANT_EXPIRED');
      assert.ok(!sidecar.logs().some(({ event }) => event === 'theft_alarm'));
    });

    const strangers: readonly [string, string, object][] = [
      ['that is somebody else’s wrapping', 'sys/wrapping/wrap', { any: 'thing' }],
      [
        'of another entry’s role',
        ROLE.replace('orders', 'admin'),
        { entity_alias: 'ns/shop/sa/admin', num_uses: 1 },
      ],
    ];
    for (const [what, path, order] of strangers) {
      it(`${what} is not unwrapped`, async () => {
        let token = '';
        broker.distort = async ({ grant }) => {
          const made = await world.vault.request('POST', path, order, { wrapTtl });
          grant.wrapping_token = token = made.body.wrap_info.token;
        };
        const failed = await (await start()).waitForEvent('renewal_failed');
        assert.equal(failed['code'], 'GRANT_FOREIGN');
        const left = await world.vault.request('POST', 'sys/wrapping/lookup', { token });
        assert.equal(left.status, 200, 'the wrapping token is as it was');
      });
    }
  });
});
