import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { jwtVerify } from 'jose';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createAssertions } from '../../../sidecar/assertion/index.ts';
import { type CredentialHolder, createCredentials } from '../../../sidecar/identity/credentials.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import { OK, problemIn } from '../inbound/world.ts';
import { upstream } from '../outbound/world.ts';
import { dialPlain, portOf } from '../sockets.ts';
import { type Authority, authority, clock, credentialsFor, quiet, svid } from '../support.ts';
import { ID, type Service, service } from './world.ts';

/** ORDERS, which was asked by WEB, before it asks STOCK. */
async function stage() {
  const ca = await authority();
  const stack = new AsyncDisposableStack();
  const stock = stack.use(await service(ca, 'stock'));
  const orders = stack.use(await service(ca, 'orders', { upstreams: [stock] }));
  const web = stack.use(await service(ca, 'web', { upstreams: [orders] }));
  await web.call('orders');
  return { ca, stock, orders, web, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const line = (text: string | null) => `X-Signet-Transaction: ${text}`;
const transactionOf = ({ told }: Service) => told('x-signet-transaction');

function tampered(text: string, part: number, change: (json: Record<string, unknown>) => object): string {
  const parts = text.split('.');
  const json = JSON.parse(Buffer.from(parts[part]!, 'base64url').toString());
  parts[part] = Buffer.from(JSON.stringify(change(json))).toString('base64url');
  return parts.join('.');
}

/** Of another process of ORDERS, with a key of its own. */
async function sibling(
  ca: Authority,
  credentials?: CredentialHolder,
): Promise<[string, () => Promise<void>]> {
  const other = await service(ca, 'orders', credentials === undefined ? {} : { credentials });
  const web = await service(ca, 'web', { upstreams: [other] });
  await web.call('orders');
  const text = transactionOf(other)!;
  const end = async () => {
    await web[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  };
  return [text, end];
}

describe('a transaction that an app passes along', () => {
  it('is good for any number of requests, and is taken off each of them', async () => {
    await using w = await stage();
    const text = transactionOf(w.orders);
    for (let i = 0; i < 3; i++) assert.match(await w.orders.call('stock', line(text)), /^HTTP\/1.1 200/);
    assert.deepEqual(
      w.stock.judged.map(({ chain }) => chain),
      [[ID('web')], [ID('web')], [ID('web')]],
    );
    assert.ok(!w.stock.app.received.includes(text!));
  });

  it('may be left out: then the app asks for itself', async () => {
    await using w = await stage();
    assert.match(await w.orders.call('stock', 'Txn-Token: forged'), /^HTTP\/1.1 200/);
    assert.deepEqual(w.stock.judged, [{ caller: ID('orders'), path: '/of/orders', chain: [] }]);
  });

  it('is still good after a rotation, and told with the key of the connection it goes by', async () => {
    await using w = await stage();
    const text = transactionOf(w.orders);
    await w.orders.call('stock', line(text));
    w.orders.credentials.publish(await svid(w.ca.issuer, w.ca.root, ID('orders')));
    assert.match(await w.orders.call('stock', line(text)), /^HTTP\/1.1 200/);
    assert.deepEqual(w.stock.judged[1]?.chain, [ID('web')]);
  });

  it('is good at every process of the workload, whichever gave it', async () => {
    await using w = await stage();
    const [text, end] = await sibling(w.ca);
    assert.match(await w.orders.call('stock', line(text)), /^HTTP\/1.1 200/);
    assert.deepEqual(w.stock.judged[0]?.chain, [ID('web')]);
    await end();
  });

  it('by an authority that is not ours is refused', async () => {
    await using w = await stage();
    const [text, end] = await sibling(await authority());
    const heard = problemIn(await w.orders.call('stock', line(text)));
    assert.deepEqual([heard['code'], heard['reason']], ['transaction_refused', 'TXN_UNTRUSTED']);
    await end();
  });

  it('ends with the SVID that signed it', async () => {
    await using w = await stage();
    const soon = new Date(Date.now() + 1_500);
    const [text, end] = await sibling(w.ca, await credentialsFor(w.ca, ID('orders'), { notAfter: soon }));
    assert.match(await w.orders.call('stock', line(text)), /^HTTP\/1.1 200/);
    while (new Date() < soon) await new Promise((resolve) => setTimeout(resolve, 20));
    const heard = problemIn(await w.orders.call('stock', line(text)));
    assert.deepEqual([heard['code'], heard['reason']], ['transaction_refused', 'TXN_EXPIRED']);
    await end();
  });

  for (const [what, change] of [
    [
      'with another chain',
      (text) => tampered(text, 1, (claims) => ({ ...claims, chain: [ID('root')], sub: ID('root') })),
    ],
    ['with another header', (text) => tampered(text, 0, (header) => ({ ...header, more: 1 }))],
    ['without certificates', (text) => tampered(text, 0, ({ x5c: _, ...header }) => header)],
    [
      'with certificates that are none',
      (text) => tampered(text, 0, (header) => ({ ...header, x5c: ['AAAA'] })),
    ],
    [
      'with too many certificates',
      (text) => tampered(text, 0, (header) => ({ ...header, x5c: Array(9).fill('AAAA') })),
    ],
    ['without its signature', (text) => text.slice(0, text.lastIndexOf('.') + 1)],
    ['that is none', () => 'x'],
    ['that is empty', () => ''],
  ] as [string, (text: string) => string][])
    it(`${what} is refused before it leaves`, async () => {
      await using w = await stage();
      const heard = problemIn(await w.orders.call('stock', line(change(transactionOf(w.orders)!))));
      assert.deepEqual([heard.status, heard['code']], [400, 'transaction_refused']);
      assert.deepEqual(w.stock.judged, []);
    });

  it('that is given twice is refused', async () => {
    await using w = await stage();
    const text = line(transactionOf(w.orders));
    assert.equal(problemIn(await w.orders.call('stock', text, text))['code'], 'transaction_refused');
  });

  it('is told as one JWT that others can verify, and nothing else of it leaves', async () => {
    await using w = await stage();
    const shown = await svid(w.ca.issuer, w.ca.root, w.stock.id);
    const tls = { key: shown.key.export({ type: 'pkcs8', format: 'pem' }), cert: shown.certChainPem };
    let received = '';
    const server = createServer(tls, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (piece) => {
        received += piece;
        if (received.endsWith('\r\n\r\n')) socket.end(OK);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { credentials } = w.orders;
    const metrics = createMetrics();
    const settings = { claims: [], assertion: true, transaction: true };
    using assertions = createAssertions({ settings, credentials, clock, metrics });
    await using outbound = await createOutbound({
      ...{ listen: { host: '127.0.0.1', port: 0 }, credentials, clock, log: quiet, metrics },
      upstreams: [upstream('stock', [(server.address() as AddressInfo).port], [w.stock.id])],
      screen: assertions.outbound,
    });
    using client = await dialPlain(outbound.address);
    const text = transactionOf(w.orders);
    const odd = 'X_Signet_Transaction: forged\r\nTxn-Token: forged\r\ntxn_token: forged\r\n';
    client.send(
      `GET / HTTP/1.1\r\nHost: stock\r\nConnection: x-signet-transaction, txn-token\r\n${line(text)}\r\n${odd}\r\n`,
    );
    assert.match(await client.hears('ok'), /^HTTP\/1.1 200/);
    const lines = received.split('\r\n').filter((each) => /signet|txn|forged/i.test(each));
    assert.deepEqual(
      lines.map((each) => each.slice(0, 'txn-token: '.length)),
      ['txn-token: '],
    );
    const { payload } = await jwtVerify(
      lines[0]!.slice('txn-token: '.length),
      createPublicKey(credentials.current!.key),
      {
        ...{
          issuer: ID('orders'),
          audience: ID('stock'),
          subject: ID('web'),
          typ: 'txntoken+jwt',
          algorithms: ['ES256'],
        },
      },
    );
    assert.deepEqual([payload['chain'], payload.exp! - payload.iat!], [[ID('web')], 60]);
    server.close();
  });

  it('ends when it goes round in a circle', async () => {
    const ca = await authority();
    const credentials = await credentialsFor(ca, ID('orders'));
    await using back = await service(ca, 'orders', { credentials });
    await using there = await service(ca, 'orders', { credentials, upstreams: [back] });
    let hops = 0;
    let heard = await there.call('orders');
    while (heard.startsWith('HTTP/1.1 200') && hops++ < 50)
      heard = await there.call('orders', line(transactionOf(back)));
    assert.equal(problemIn(heard)['code'], 'transaction_too_deep');
    assert.equal(hops, 16);
  });

  describe('on a connection of the SVID before', () => {
    /** Asks STOCK by an outbound side whose connections are made with `first`, while what is signed knows `known`. */
    async function heard(
      w: Awaited<ReturnType<typeof stage>>,
      first: CredentialHolder,
      known: CredentialHolder,
    ) {
      const metrics = createMetrics();
      const settings = { claims: [], assertion: false, transaction: true };
      using assertions = createAssertions({ settings, credentials: known, clock, metrics });
      known.publish(await svid(w.ca.issuer, w.ca.root, ID('orders')));
      await using outbound = await createOutbound({
        ...{ listen: { host: '127.0.0.1', port: 0 }, credentials: first, clock, log: quiet, metrics },
        upstreams: [upstream('stock', [portOf(w.stock.inbound.address)], [w.stock.id])],
        screen: assertions.outbound,
      });
      using client = await dialPlain(outbound.address);
      client.send(
        `GET / HTTP/1.1\r\nHost: stock\r\nConnection: close\r\n${line(transactionOf(w.orders))}\r\n\r\n`,
      );
      return await client.ends();
    }

    it('is told with the key of that', async () => {
      await using w = await stage();
      const known = createCredentials();
      known.publish(w.orders.credentials.current!);
      assert.match(await heard(w, w.orders.credentials, known), /^HTTP\/1.1 200/);
      assert.deepEqual(w.stock.judged[0]?.chain, [ID('web')]);
    });

    it('is refused at the other end where that key is not known any more', async () => {
      await using w = await stage();
      const problem = problemIn(await heard(w, w.orders.credentials, createCredentials()));
      assert.deepEqual([problem['code'], w.stock.judged], ['txn_token_refused', []]);
    });
  });
});
