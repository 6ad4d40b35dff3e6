import assert from 'node:assert/strict';
import { type KeyObject, sign } from 'node:crypto';
import type { CredentialHolder } from '../../../sidecar/identity/credentials.ts';
import { ask, openSession } from '../http2/world.ts';
import { problemIn } from '../inbound/world.ts';
import { dialPlain, dialTls } from '../sockets.ts';
import { authority, credentialsFor, svid } from '../support.ts';
import { ID, payloadOf, type Service, service } from './world.ts';

type Parts = { readonly header?: object; readonly claims?: object; readonly key?: KeyObject };

const now = () => Math.floor(Date.now() / 1_000);

/** A token that WEB's outbound side could have made for ORDERS, but for what is given. */
function token(web: CredentialHolder, { header = {}, claims = {}, key }: Parts = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const said = {
    ...{
      iss: ID('web'),
      aud: ID('orders'),
      iat: now(),
      exp: now() + 60,
      txn: 't-1',
      sub: ID('shop'),
      chain: [ID('shop')],
    },
    ...claims,
  };
  const signed = `${part({ alg: 'ES256', typ: 'txntoken+jwt', ...header })}.${part(said)}`;
  const bytes = sign('sha256', Buffer.from(signed), {
    key: key ?? web.current!.key,
    dsaEncoding: 'ieee-p1363',
  });
  return `${signed}.${bytes.toString('base64url')}`;
}

async function stage() {
  const ca = await authority();
  const orders = await service(ca, 'orders', { anonymous: true });
  const web = await credentialsFor(ca, ID('web'));
  return { ca, orders, web, [Symbol.asyncDispose]: () => orders[Symbol.asyncDispose]() };
}

/** What ORDERS answers to WEB. */
async function answered(
  orders: Service,
  web: CredentialHolder,
  ...tokens: readonly string[]
): Promise<string> {
  using client = await dialTls(orders.inbound.address, web);
  const lines = tokens.map((text) => `Txn-Token: ${text}\r\n`).join('');
  client.send(`GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n${lines}\r\n`);
  return await client.ends();
}

const chain = (length: number) => {
  const ids = Array.from({ length }, (_, i) => ID(`s${i}`));
  return { sub: ids[0], chain: ids };
};

describe('a Txn-Token', () => {
  it('of the caller, by either protocol, is what policy asks about and what the app passes on', async () => {
    await using w = await stage();
    assert.match(await answered(w.orders, w.web, token(w.web)), /^HTTP\/1.1 200/);
    const session = await openSession(w.orders.inbound.address, w.web);
    const { status } = await ask(session, { ':path': '/', 'txn-token': token(w.web) });
    session.destroy();
    assert.equal(status, 200);
    const judged = { caller: ID('web'), path: '/', chain: [ID('shop')] };
    assert.deepEqual(w.orders.judged, [judged, judged]);
    const { txn, chain: path } = payloadOf(w.orders.told('x-signet-transaction'));
    assert.deepEqual([txn, path], ['t-1', [ID('shop'), ID('web')]]);
    const { txn: stated, chain: before } = payloadOf(w.orders.told('x-signet-assertion'));
    assert.deepEqual([stated, before], ['t-1', [ID('shop')]]);
  });

  it('that begins with a client without an SVID says so to policy and to the app', async () => {
    await using w = await stage();
    const claims = { sub: 'anonymous', chain: ['anonymous', ID('shop')] };
    assert.match(await answered(w.orders, w.web, token(w.web, { claims })), /^HTTP\/1.1 200/);
    assert.deepEqual(w.orders.judged[0]?.chain, claims.chain);
    assert.deepEqual(payloadOf(w.orders.told('x-signet-assertion'))['chain'], claims.chain);
  });

  const refused: [
    what: string,
    reason: string,
    parts: (w: Awaited<ReturnType<typeof stage>>) => Promise<Parts> | Parts,
  ][] = [
    [
      'signed by a key of another',
      'JWS_SIGNATURE',
      async ({ ca }) => ({ key: (await svid(ca.issuer, ca.root, ID('web'))).key }),
    ],
    ['made by another workload', 'TXN_WRONG_ISSUER', () => ({ claims: { iss: ID('stock') } })],
    ['made for another workload', 'TXN_WRONG_AUDIENCE', () => ({ claims: { aud: ID('stock') } })],
    ['made for several', 'TXN_WRONG_AUDIENCE', () => ({ claims: { aud: [ID('orders'), ID('stock')] } })],
    ['that has expired', 'TXN_EXPIRED', () => ({ claims: { iat: now() - 61, exp: now() - 1 } })],
    ['that never expires', 'TXN_EXPIRED', () => ({ claims: { exp: now() + 86_400 } })],
    ['without an end', 'TXN_MALFORMED', () => ({ claims: { exp: undefined } })],
    ['of a time to come', 'TXN_NOT_YET_VALID', () => ({ claims: { iat: now() + 40, exp: now() + 90 } })],
    ['that is another statement', 'JWS_MALFORMED', () => ({ header: { typ: 'signet-assertion+jwt' } })],
    ['that names no algorithm', 'JWS_MALFORMED', () => ({ header: { alg: 'none' } })],
    ['that names another algorithm', 'JWS_MALFORMED', () => ({ header: { alg: 'HS256' } })],
    ['with an extension', 'JWS_MALFORMED', () => ({ header: { crit: ['b64'], b64: false } })],
    ['without a chain', 'TXN_MALFORMED', () => ({ claims: { chain: [] } })],
    ['whose chain is longer than any', 'TXN_MALFORMED', () => ({ claims: chain(17) })],
    ['whose chain names nobody', 'TXN_MALFORMED', () => ({ claims: { chain: [ID('shop'), 'root'] } })],
    [
      'whose chain has a client in it',
      'TXN_MALFORMED',
      () => ({ claims: { chain: [ID('shop'), 'anonymous'] } }),
    ],
    ['whose subject is not its beginning', 'TXN_MALFORMED', () => ({ claims: { sub: ID('web') } })],
    ['without a name', 'TXN_MALFORMED', () => ({ claims: { txn: 'a b' } })],
    ['with half a user', 'TXN_MALFORMED', () => ({ claims: { user: { sub: 'alice' } } })],
    ['that is too long', 'JWS_MALFORMED', () => ({ claims: { more: 'x'.repeat(10_000) } })],
  ];
  for (const [what, reason, parts] of refused)
    it(`${what} is refused with the request: ${reason}`, async () => {
      await using w = await stage();
      const heard = problemIn(await answered(w.orders, w.web, token(w.web, await parts(w))));
      assert.deepEqual([heard.status, heard['code'], heard['reason']], [401, 'txn_token_refused', reason]);
      assert.deepEqual([w.orders.judged, w.orders.refusals], [[], ['txn_token_refused']]);
      assert.equal(w.orders.app.received, '');
    });

  for (const text of ['', 'untold', 'a.b', 'a.b.c', 'e30.e30.e30', '....', 'x'.repeat(13_000)])
    it(`that is none is refused: ${JSON.stringify(text.slice(0, 20))}`, async () => {
      await using w = await stage();
      assert.equal(problemIn(await answered(w.orders, w.web, text))['code'], 'txn_token_refused');
    });

  it('that comes twice is refused', async () => {
    await using w = await stage();
    const heard = problemIn(await answered(w.orders, w.web, token(w.web), token(w.web)));
    assert.equal(heard['code'], 'txn_token_refused');
  });

  it('that was heard on its way is worth nothing to whoever heard it', async () => {
    await using w = await stage();
    const thief = await credentialsFor(w.ca, ID('thief'));
    const heard = problemIn(await answered(w.orders, thief, token(w.web)));
    assert.deepEqual([heard['code'], heard['reason']], ['txn_token_refused', 'JWS_SIGNATURE']);
  });

  it('is worth nothing on a connection that its maker made with another key', async () => {
    await using w = await stage();
    const kept = token(w.web);
    w.web.publish(await svid(w.ca.issuer, w.ca.root, ID('web')));
    assert.equal(problemIn(await answered(w.orders, w.web, kept))['reason'], 'JWS_SIGNATURE');
  });

  it('of as many services as may be is the last that passes: what goes round in a circle ends', async () => {
    await using w = await stage();
    assert.match(await answered(w.orders, w.web, token(w.web, { claims: chain(15) })), /^HTTP\/1.1 200/);
    const heard = problemIn(await answered(w.orders, w.web, token(w.web, { claims: chain(16) })));
    assert.deepEqual([heard.status, heard['code']], [508, 'transaction_too_deep']);
  });

  it('of a client without an SVID is not looked at', async () => {
    await using w = await stage();
    using client = await dialPlain(w.orders.inbound.anonymous!);
    client.send(`GET / HTTP/1.1\r\nHost: orders\r\nTxn-Token: ${token(w.web)}\r\n\r\n`);
    await client.hears('ok');
    assert.deepEqual(w.orders.judged, [{ caller: 'anonymous', path: '/', chain: [] }]);
    assert.deepEqual(payloadOf(w.orders.told('x-signet-transaction'))['chain'], ['anonymous']);
    assert.equal(w.orders.told('txn-token'), null);
  });
});
