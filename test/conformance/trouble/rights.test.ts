import assert from 'node:assert/strict';
import { ORDERS, svid, WEB } from '../../sidecar/support.ts';
import { createCa } from '../../support/ca.ts';
import { EVERYONE, TALKING } from './callers.ts';
import { type ShopPair, shopPair } from './pair.ts';
import { faults, OK, PARTED, Traffic } from './traffic.ts';

const HALF_AN_HOUR_MS = 1_800_000;
/** A second, and what a busy machine adds to it. */
const AT_ONCE_MS = 5_000;

describe('under load', function () {
  this.timeout(60_000);

  it('rotations of both sides and a bundle that grows fail nothing, and no stream ends', async () => {
    await using p = await shopPair();
    await using traffic = new Traffic(p.place, EVERYONE);
    await traffic.moved();
    const next = await createCa('example.org', { subject: 'CN=next' });
    for (let i = 0; i < 20; i++) {
      const bundlePem = p.ca.root.pem + (i >= 10 ? next.pem : '');
      p.orders.publish({ ...(await svid(p.ca.issuer, p.ca.root, ORDERS)), bundlePem });
      p.web.publish({ ...(await svid(p.ca.issuer, p.ca.root, WEB)), bundlePem });
      await traffic.moved(2);
    }
    assert.deepEqual(faults(await traffic.stop()), {});
    assert.deepEqual(p.shop.repeated, []);
  });

  it("streams that outlive the drain of the app's sidecar are ended in their own way", async () => {
    await using p = await shopPair();
    await using traffic = new Traffic(p.place, TALKING);
    await traffic.moved();
    await p.inbound.close({ deadlineMs: 2_500 });
    await traffic.failed();
    for (const [kind, outcomes] of Object.entries(await traffic.stop())) assert.ok(outcomes[PARTED], kind);
  });

  type Right = { end(): Promise<void> | void; giveBack(): Promise<void> | void };
  const endings: Readonly<Record<string, () => Promise<Right & { readonly pair: ShopPair }>>> = {
    'a peer that is denied': async () => {
      let denied: string | null = null;
      const pair = await shopPair({ inbound: { denied: () => denied } });
      return { pair, end: () => void (denied = 'serial'), giveBack: () => void (denied = null) };
    },
    'a peer whose certificate ends': async () => {
      let ahead = 0;
      const pair = await shopPair({ inbound: { clock: { now: () => new Date(Date.now() + ahead) } } });
      const notAfter = () => ({ notAfter: new Date(Date.now() + HALF_AN_HOUR_MS) });
      pair.web.publish(await svid(pair.ca.issuer, pair.ca.root, WEB, notAfter()));
      return { pair, end: () => void (ahead = HALF_AN_HOUR_MS), giveBack: () => void (ahead = 0) };
    },
    'a peer whose authority is trusted no more': async () => {
      const pair = await shopPair();
      const next = await createCa('example.org', { subject: 'CN=next' });
      const trust = (bundlePem: string) => pair.orders.publish({ ...pair.orders.current!, bundlePem });
      return { pair, end: () => trust(next.pem), giveBack: () => trust(pair.ca.root.pem) };
    },
  };
  for (const [peer, begin] of Object.entries(endings))
    it(`${peer} is cut in every protocol, and served again when it may be`, async () => {
      const { pair: p, end, giveBack } = await begin();
      await using _p = p;
      await using traffic = new Traffic(p.place, EVERYONE);
      await traffic.moved();
      assert.deepEqual(faults(traffic.take()), {});
      const ended = performance.now();
      await end();
      await traffic.failed();
      assert.ok(performance.now() - ended < AT_ONCE_MS, `${performance.now() - ended} ms`);
      traffic.take();
      await traffic.failed(2);
      for (const [kind, { [OK]: served = 0 }] of Object.entries(traffic.take()))
        assert.equal(served, 0, kind);
      await giveBack();
      await traffic.moved();
      await traffic.stop();
      assert.deepEqual(p.shop.repeated, []);
    });
});
