import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { createCsr } from '../../lib/svid/index.ts';
import {
  type Reply,
  type Shown,
  spendGrant,
  svidKey,
  type TestKey,
  type TestSvid,
} from '../support/attest-client.ts';
import { createCa } from '../support/ca.ts';
import { joinEntry, openSite, type Site, type TestBroker, writeDenylist } from './site.ts';

/** A workload with its SVID, as a sidecar holds it. */
type Holder = {
  readonly instance: { readonly id: string; readonly generation: number };
  readonly key: TestKey;
  readonly svid: TestSvid;
};

describe('renewal by the current SVID', () => {
  let site: Site;
  let broker: TestBroker;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    for (const name of ['orders', 'stock', 'gone']) {
      const reply = await broker.call('POST', '/v1/entries', joinEntry(name), site.registrar.shop);
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
    }
  });
  after(() => site?.[Symbol.asyncDispose]());

  /** A machine that has joined and has its first SVID. */
  const join = async (name = 'orders', announce = false): Promise<Holder> => {
    const made = await broker.call(
      'POST',
      `/v1/entries/acme.shop/${name}/join-code`,
      {},
      site.registrar.shop,
    );
    const key = svidKey();
    using client = await broker.connect();
    const reply = await client.attest('join', () => ({
      code: made.body.code,
      ...(announce ? { next_key: key.hash } : {}),
    }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return await holding(reply, key);
  };
  const holding = async (reply: Reply, key: TestKey): Promise<Holder> => {
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    const svid = await spendGrant(site.vault.request, reply.body, key);
    return { instance: reply.body.instance, key, svid };
  };
  const ask = async (
    shown: Shown | undefined,
    instance: { id: string; generation: number },
    nextKey: TestKey,
    at: TestBroker = broker,
  ): Promise<Reply> => {
    using client = await at.connect(shown === undefined ? {} : { shown });
    return await client.attest('svid', () => ({
      instance_id: instance.id,
      generation: instance.generation,
      next_key: nextKey.hash,
    }));
  };
  const renew = async (holder: Holder): Promise<Holder> => {
    const next = svidKey();
    return await holding(await ask(holder.svid, holder.instance, next), next);
  };
  const expectRefused = (reply: Reply, code: string) =>
    assert.deepEqual([reply.status, reply.body.code], [403, code]);
  const alarms = () => broker.metric('signet_broker_clone_alarms_total');

  it('gives the same ID again and again, each time under the next number', async () => {
    let holder = await join();
    for (const generation of [2, 3, 4]) {
      holder = await renew(holder);
      assert.equal(holder.instance.generation, generation);
    }
  });

  it('a lost answer is asked for again, under the same number with the same next key', async () => {
    const holder = await renew(await join());
    const next = svidKey();
    const lost = await ask(holder.svid, holder.instance, next);
    const again = await ask(holder.svid, holder.instance, next);
    assert.deepEqual([again.status, again.body.instance], [201, lost.body.instance]);
    await renew(await holding(again, next));
  });

  it('a grant that came to nothing is asked for again, under the new number with the same next key', async () => {
    const holder = await renew(await join());
    const next = svidKey();
    const burnt = await ask(holder.svid, holder.instance, next);
    const again = await ask(holder.svid, burnt.body.instance, next);
    assert.deepEqual([again.status, again.body.instance], [201, burnt.body.instance]);
    await renew(await holding(again, next));
  });

  describe('a copy of the identity', () => {
    it('that comes late, with the old number, locks the instance for both and raises the alarm', async () => {
      const owner = await join();
      const copy = { ...owner };
      const renewed = await renew(owner);
      const before = await alarms();
      expectRefused(await ask(copy.svid, copy.instance, svidKey()), 'instance_locked');
      assert.equal(await alarms(), before + 1);
      expectRefused(await ask(renewed.svid, renewed.instance, svidKey()), 'instance_locked');
      assert.equal(await alarms(), before + 1);
      const line = await broker.waitForEvent('clone_alarm', ({ instance }) => instance === owner.instance.id);
      assert.deepEqual([line['level'], line['serial']], ['alarm', copy.svid.serial]);
    });
    it('that guesses the new number gets nothing either', async () => {
      const owner = await join();
      const renewed = await renew(owner);
      expectRefused(await ask(owner.svid, renewed.instance, svidKey()), 'instance_locked');
    });
    it('that comes first is found out when the owner comes', async () => {
      const owner = await join();
      const copy = await renew({ ...owner });
      expectRefused(await ask(owner.svid, owner.instance, svidKey()), 'instance_locked');
      expectRefused(await ask(copy.svid, copy.instance, svidKey()), 'instance_locked');
    });
    it('that stole the grant of a renewal cannot go on from it', async () => {
      const owner = await renew(await join());
      const next = svidKey();
      const stolen = await ask(owner.svid, owner.instance, next);
      const thief = await holding(stolen, svidKey());
      expectRefused(await ask(thief.svid, thief.instance, svidKey()), 'instance_locked');
    });
    it('that stole the grant of the join cannot go on from it, where the join announced its key', async () => {
      const made = await broker.call(
        'POST',
        '/v1/entries/acme.shop/orders/join-code',
        {},
        site.registrar.shop,
      );
      using client = await broker.connect();
      const reply = await client.attest('join', () => ({ code: made.body.code, next_key: svidKey().hash }));
      const thief = await holding(reply, svidKey());
      expectRefused(await ask(thief.svid, thief.instance, svidKey()), 'instance_locked');
      const honest = await join('orders', true);
      await renew(honest);
    });
    it('asking at the same time at two brokers: at most one is given anything', async () => {
      const second = await site.startBroker();
      for (let round = 0; round < 5; round++) {
        const owner = await join();
        const replies = await Promise.all([
          ask(owner.svid, owner.instance, svidKey()),
          ask(owner.svid, owner.instance, svidKey(), second),
        ]);
        assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 403]);
        expectRefused(replies.find(({ status }) => status === 403)!, 'instance_locked');
      }
      await second.stop();
    });
  });

  describe('is refused', () => {
    it('without a certificate', async () => {
      const { instance } = await join();
      expectRefused(await ask(undefined, instance, svidKey()), 'attestation_refused');
    });
    it("with a certificate of somebody else's CA", async () => {
      const { instance } = await join();
      const ca = await createCa('example.org');
      const leaf = await ca.leaf('spiffe://example.org/ns/shop/sa/orders');
      expectRefused(
        await ask({ cert: leaf.pem, key: leaf.privateKeyPem }, instance, svidKey()),
        'attestation_refused',
      );
    });
    it("with the broker's kind of certificate", async () => {
      const { instance } = await join();
      const key = svidKey();
      const signed = await site.vault.request('POST', 'signet-pki/sign/broker', {
        csr: createCsr(key.privateKey).pem,
        uri_sans: 'spiffe://example.org/signet/broker',
      });
      const { certificate, ca_chain } = signed.body.data;
      const shown = {
        cert: `${certificate}\n${ca_chain[0]}`,
        key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
      expectRefused(await ask(shown, instance, svidKey()), 'attestation_refused');
    });
    it("for another workload's instance", async () => {
      const [orders, stock] = [await join(), await join('stock')];
      expectRefused(await ask(orders.svid, stock.instance, svidKey()), 'attestation_refused');
      await renew(stock);
    });
    it('for an instance that there never was', async () => {
      const { svid } = await join();
      expectRefused(
        await ask(svid, { id: 'ab'.repeat(16), generation: 1 }, svidKey()),
        'attestation_refused',
      );
    });
    it('for an instance whose document cannot be read', async () => {
      const { svid, instance } = await join();
      const path = `signet/data/instances/${instance.id}`;
      const { metadata } = (await site.vault.request('GET', path)).body.data;
      await site.vault.request('POST', path, {
        data: { id: instance.id },
        options: { cas: metadata.version },
      });
      const reply = await ask(svid, instance, svidKey());
      assert.deepEqual([reply.status, reply.body.code], [503, 'vault_unavailable']);
    });
    it('while its entry is disabled, and taken up again after', async () => {
      const holder = await join('stock');
      const turn = (verb: string) =>
        broker.call('POST', `/v1/entries/acme.shop/stock/${verb}`, {}, site.registrar.shop);
      await turn('disable');
      expectRefused(await ask(holder.svid, holder.instance, svidKey()), 'entry_disabled');
      await turn('enable');
      await renew(holder);
    });
    it('when its entry is gone', async () => {
      const holder = await join('gone');
      await broker.call('DELETE', '/v1/entries/acme.shop/gone', undefined, site.registrar.shop);
      expectRefused(await ask(holder.svid, holder.instance, svidKey()), 'no_entry');
    });
    it('when its entry gives another ID now', async () => {
      const entry = joinEntry('renamed');
      const create = (more: object) =>
        broker.call('POST', '/v1/entries', { ...entry, ...more }, site.registrar.shop);
      assert.equal((await create({})).status, 201);
      const holder = await join('renamed');
      await broker.call('DELETE', '/v1/entries/acme.shop/renamed', undefined, site.registrar.shop);
      assert.equal((await create({ spiffe_id: 'spiffe://example.org/ns/shop/sa/new-name' })).status, 201);
      expectRefused(await ask(holder.svid, holder.instance, svidKey()), 'no_entry');
    });
    it('when the serial it shows is on the deny-list', async () => {
      const holder = await join();
      await writeDenylist(site, {
        ids: [],
        serials: [holder.svid.serial.toUpperCase().replaceAll(':', '-')],
      });
      expectRefused(await ask(holder.svid, holder.instance, svidKey()), 'identity_denied');
      await writeDenylist(site, { ids: [], serials: [] });
      await renew(holder);
    });
    it('with an SVID that has expired', async () => {
      assert.equal(
        (await broker.call('POST', '/v1/entries', joinEntry('brief', { ttl: '3s' }), site.registrar.shop))
          .status,
        201,
      );
      const holder = await join('brief');
      await new Promise((resolve) => setTimeout(resolve, 3_500));
      expectRefused(await ask(holder.svid, holder.instance, svidKey()), 'attestation_refused');
    });
  });
});
