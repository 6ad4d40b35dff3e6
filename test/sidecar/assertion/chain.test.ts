import assert from 'node:assert/strict';
import { ask, openPlain } from '../http2/world.ts';
import { problemIn } from '../inbound/world.ts';
import { authority } from '../support.ts';
import { ID, payloadOf, service, user } from './world.ts';

describe('the chain of services', () => {
  it('is told from hop to hop, each time by the one before', async () => {
    const ca = await authority();
    await using billing = await service(ca, 'billing');
    await using stock = await service(ca, 'stock', { upstreams: [billing] });
    await using orders = await service(ca, 'orders', { upstreams: [stock], user: user() });
    await using web = await service(ca, 'web', { upstreams: [orders] });

    assert.match(await web.call('orders'), /^HTTP\/1.1 200/);
    const first = `X-Signet-Transaction: ${orders.told('x-signet-transaction')}`;
    assert.match(await orders.call('stock', first), /^HTTP\/1.1 200/);
    const second = `X-Signet-Transaction: ${stock.told('x-signet-transaction')}`;
    assert.match(await stock.call('billing', second), /^HTTP\/1.1 200/);

    assert.deepEqual(orders.judged, [{ caller: ID('web'), path: '/of/web', chain: [] }]);
    assert.deepEqual(stock.judged, [{ caller: ID('orders'), path: '/of/orders', chain: [ID('web')] }]);
    assert.deepEqual(billing.judged, [
      { caller: ID('stock'), path: '/of/stock', chain: [ID('web'), ID('orders')] },
    ]);
    const last = payloadOf(billing.told('x-signet-transaction'));
    assert.deepEqual(last['chain'], [ID('web'), ID('orders'), ID('stock')]);
    assert.deepEqual(last['user'], { iss: 'https://idp.example', sub: 'alice' });
    assert.equal(last['txn'], payloadOf(orders.told('x-signet-transaction'))['txn']);
    // between sidecars only
    for (const each of [orders, stock, billing]) assert.equal(each.told('txn-token'), null);
  });

  it('is told by HTTP/2 too, over one connection to each', async () => {
    const ca = await authority();
    await using stock = await service(ca, 'stock');
    await using orders = await service(ca, 'orders', { upstreams: [stock] });
    await using web = await service(ca, 'web', { upstreams: [orders] });
    const [first, second] = [await openPlain(web.outbound.address), await openPlain(orders.outbound.address)];
    assert.equal((await ask(first, { ':path': '/a' })).status, 200);
    const transaction = { 'x-signet-transaction': orders.told('x-signet-transaction')! };
    for (const fields of [transaction, transaction, {}])
      assert.equal((await ask(second, { ':path': '/b', ':authority': 'stock', ...fields })).status, 200);
    assert.deepEqual(
      stock.judged.map(({ chain }) => chain),
      [[ID('web')], [ID('web')], []],
    );
    const forged = { 'x-signet-transaction': 'x' };
    const { status, body } = await ask(second, { ':path': '/b', ':authority': 'stock', ...forged });
    assert.deepEqual([status, JSON.parse(body).code], [400, 'transaction_refused']);
    first.destroy();
    second.destroy();
  });

  it('of another workload is refused before it leaves', async () => {
    const ca = await authority();
    await using stock = await service(ca, 'stock');
    await using orders = await service(ca, 'orders', { upstreams: [stock] });
    await using web = await service(ca, 'web', { upstreams: [orders, stock] });
    await web.call('orders');
    const stolen = `X-Signet-Transaction: ${orders.told('x-signet-transaction')}`;
    const { status, code, reason } = problemIn(await web.call('stock', stolen));
    assert.deepEqual([status, code, reason], [400, 'transaction_refused', 'TXN_UNTRUSTED']);
    assert.deepEqual(stock.judged, []);
  });
});
