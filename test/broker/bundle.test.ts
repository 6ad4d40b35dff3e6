import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { spendGrant, svidKey } from '../support/attest-client.ts';
import { joinEntry, openSite, type Site, type TestBroker, until } from './site.ts';

describe('the bundle, when the CA changes', function () {
  this.timeout(60_000);
  let site: Site;
  let broker: TestBroker;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker({ SIGNET_RELOAD: '1s' });
    await broker.call('POST', '/v1/entries', joinEntry('orders'), site.registrar.shop);
  });
  after(() => site?.[Symbol.asyncDispose]());

  const bundle = async () => (await broker.call('GET', '/v1/bundle')).body;
  const join = async () => {
    const made = await broker.call('POST', '/v1/entries/acme.shop/orders/join-code', {}, site.registrar.shop);
    using client = await broker.connect();
    const reply = await client.attest('join', () => ({ code: made.body.code }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return { reply, svid: await spendGrant(site.vault.request, reply.body) };
  };
  const renew = async ({ reply, svid }: Awaited<ReturnType<typeof join>>) => {
    using client = await broker.connect({ shown: svid });
    const { id, generation } = reply.body.instance;
    return (await client.attest('svid', () => ({ instance_id: id, generation, next_key: svidKey().hash })))
      .status;
  };
  let first: string;
  let second: string;

  it('has a new authority soon, with a higher sequence, and old SVIDs are renewed still', async () => {
    const before = await bundle();
    const old = await join();
    first = (await site.vault.request('GET', 'signet-pki/config/issuers')).body.data.default;
    const made = await site.vault.request('POST', 'signet-pki/issuers/generate/root/internal', {
      common_name: 'example.org second',
      uri_sans: 'spiffe://example.org',
      key_type: 'ec',
      ttl: '24h',
    });
    second = made.body.data.issuer_id;
    await until(async () => (await bundle()).keys.length === 2);
    assert.ok((await bundle()).spiffe_sequence > before.spiffe_sequence);
    await site.vault.request('POST', 'signet-pki/config/issuers', { default: second });
    assert.equal(await renew(old), 201);
  });
  it('lets SVIDs of the new authority in', async () => {
    const fresh = await join();
    assert.deepEqual(fresh.reply.body.bundles['example.org'].keys.length, 2);
    assert.equal(await renew(fresh), 201);
  });
  it('without the old authority, refuses its SVIDs, even on a connection that was made before', async () => {
    await site.vault.request('POST', 'signet-pki/config/issuers', { default: first });
    const old = await join();
    const { id, generation } = old.reply.body.instance;
    using open = await broker.connect({ shown: old.svid });
    await site.vault.request('POST', 'signet-pki/config/issuers', { default: second });
    for (const issuer of (await site.vault.request('LIST', 'signet-pki/issuers')).body.data.keys) {
      if (issuer !== second) await site.vault.request('DELETE', `signet-pki/issuer/${issuer}`);
    }
    const rest = new Set<number>();
    await until(async () => {
      const { body } = await open.send('GET', '/v1/bundle');
      rest.add(body.keys.length);
      return body.keys.length === 1;
    });
    const late = await open.attest('svid', () => ({ instance_id: id, generation, next_key: svidKey().hash }));
    assert.deepEqual([late.status, late.body.code], [403, 'attestation_refused'], [...rest].join());
  });
});
