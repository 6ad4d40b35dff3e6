import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { LoggingProcess } from '../../harness/processes.ts';
import { createWorld, SHORT_TTL, TENANT, type World } from './world.ts';

describe('taking an identity away', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world[Symbol.asyncDispose]());

  /** A sidecar that only calls others: what it has to serve with shows in its answers. */
  const caller = async (name: string): Promise<{ sidecar: LoggingProcess; ask: () => Promise<string> }> => {
    const service = await world.register(name, { ttl: SHORT_TTL });
    const sidecar = await world.sidecar(service, {
      SIGNET_MODE: 'service',
      SIGNET_OUTBOUND: '127.0.0.1:0',
      SIGNET_UPSTREAMS: 'nobody=127.0.0.1:9#spiffe://example.org/ns/shop/sa/nobody',
    });
    await sidecar.waitForEvent('ready');
    const outbound = await sidecar.addressOf('outbound');
    const ask = async (): Promise<string> => {
      const answer = await fetch(`http://${outbound}/`, { headers: { Host: 'nobody' } });
      return ((await answer.json()) as { code: string }).code;
    };
    return { sidecar, ask };
  };

  const cases: readonly [string, string, (name: string, id: string, off: boolean) => Promise<unknown>][] = [
    ['a disabled entity', 'identity_denied', (_name, id, off) => world.setEntity(id, off)],
    [
      'a disabled entry',
      'entry_disabled',
      (name, _id, off) => world.api('POST', `/v1/entries/acme.shop/${name}/${off ? 'disable' : 'enable'}`),
    ],
  ];
  for (const [what, reason, set] of cases) {
    it(`${what} is refused at the next renewal; at expiry nothing is served; enabled, it comes back`, async () => {
      const name = what.replaceAll(' ', '-');
      const id = `spiffe://example.org/ns/shop/sa/${name}`;
      const { sidecar, ask } = await caller(name);
      const admin = await sidecar.addressOf('admin');
      await set(name, id, true);

      const failed = await sidecar.waitForEvent('renewal_failed', undefined, 15_000);
      assert.deepEqual([failed['code'], failed['reason']], ['BROKER_REFUSED', reason]);
      assert.ok(Number(failed['next_attempt_ms']) > 1_900, 'no hurry');
      assert.equal(
        (await fetch(`http://${admin}/readyz`)).status,
        200,
        'the old SVID serves until it expires',
      );

      await sidecar.waitForEvent('svid_expired', undefined, 15_000);
      await sidecar.waitForEvent('not_ready');
      assert.deepEqual(await (await fetch(`http://${admin}/readyz`)).json(), {
        ready: false,
        missing: ['svid'],
      });
      assert.equal(await ask(), 'no_svid');

      await set(name, id, false);
      await sidecar.waitForEvent('svid', ({ rotation }) => rotation === 1, 40_000);
      await sidecar.stop();
    });
  }

  it('an entry that is gone is refused with its code', async () => {
    const orders = await world.register('orders');
    await world.api('DELETE', '/v1/entries/acme.shop/orders');
    const sidecar = await world.sidecar(orders);
    const failed = await sidecar.waitForEvent('renewal_failed');
    assert.deepEqual([failed['code'], failed['reason']], ['BROKER_REFUSED', 'no_entry']);
    assert.equal(typeof failed['correlation_id'], 'string');
    await sidecar.stop();
  });

  it('a join code gives one workload its identity, which it renews, and a second one an alarm', async () => {
    const batch = await world.register('batch', {
      match: { 'join:entry': `${TENANT}/batch` },
      ttl: SHORT_TTL,
    });
    const file = join(world.dir, 'batch-code');
    const code = await world.joinCode('batch');
    await writeFile(file, code, { mode: 0o600 });
    const sidecar = await world.sidecar(batch, { SIGNET_ATTEST: `join:${file}` });
    await sidecar.waitForEvent('svid', ({ rotation }) => rotation === 2, 20_000);

    const second = await world.sidecar(batch, { SIGNET_ATTEST: 'join:-' }, { input: code });
    const failed = await second.waitForEvent('renewal_failed');
    assert.equal(failed['reason'], 'attestation_refused');
    await world.broker.waitForEvent('join_code_alarm');
    await second.waitForEvent('renewal_failed', ({ code }) => code === 'JOIN_CODE_SPENT');
    const alarms = world.broker.logs().filter(({ event }) => event === 'join_code_alarm');
    assert.equal(alarms.length, 1, 'the spent code is not shown again');
    assert.ok(!sidecar.logs().some(({ event }) => event === 'renewal_failed'), 'the first goes on');
    await Promise.all([sidecar.stop(), second.stop()]);
  });
});
