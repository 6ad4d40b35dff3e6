import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { inParallel } from '../../lib/adapter/documents.ts';
import { type Shown, spendGrant, svidKey } from '../support/attest-client.ts';
import { joinEntry, openSite, type Site, type TestBroker, touchRevision } from './site.ts';

const ID = 'spiffe://example.org/ns/globex/sa/orders';

/** Every sidecar is sent the one list, whoever crowds it. */
describe('registered services that one tenant writes past the brokers', function () {
  this.timeout(120_000);
  let site: Site;
  let broker: TestBroker;
  let shown: Shown;
  const own = Array.from({ length: 10 }, (_, i) => `own${i}.globex`);
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    const { shop, globex } = site.registrar;
    await broker.call('POST', '/v1/entries', joinEntry('caller'), shop);
    const { body } = await broker.call('POST', '/v1/entries/acme.shop/caller/join-code', {}, shop);
    using client = await broker.connect();
    const reply = await client.attest('join', () => ({ code: body.code }));
    shown = await spendGrant(site.vault.request, reply.body, svidKey());
    for (const host of own) {
      const service = { host, addresses: ['10.0.0.5:8443'], spiffe_ids: [ID] };
      const path = `/v1/services/globex/${host.slice(0, -7)}`;
      assert.equal((await broker.call('PUT', path, service, globex)).status, 201);
    }
  });
  after(() => site?.[Symbol.asyncDispose]());

  type Written = { readonly tenant: string; readonly name: string; readonly host: string };
  const write = async (services: readonly Written[], more: object) => {
    const token = { token: site.registrar.shop };
    await inParallel(services, async (service) => {
      const path = `signet/data/services/${service.tenant.replaceAll('/', '.')}/${service.name}`;
      const body = { data: { ...service, ...more }, options: { cas: 0 } };
      assert.equal((await site.vault.request('POST', path, body, token)).status, 200);
    });
    await touchRevision(site);
  };
  const told = async () => {
    using client = await broker.connect({ shown });
    const { body } = await client.send('GET', '/v1/services');
    return body.registered as { readonly host: string }[];
  };
  const expectOwn = (list: readonly { readonly host: string }[]) => {
    const hosts = new Set(list.map(({ host }) => host));
    assert.deepEqual(
      own.filter((host) => !hosts.has(host)),
      [],
      `among ${list.length}`,
    );
  };

  it('are no longer than every sidecar takes, however long each of them is', async () => {
    const long = (i: number) => `spiffe://example.org/ns/shop/${`${'x'.repeat(60)}/`.repeat(32)}${i}`;
    const spiffe_ids = Array.from({ length: 16 }, (_, i) => long(i));
    const addresses = Array.from({ length: 64 }, (_, i) => `10.0.0.5:${10_000 + i}`);
    const names = Array.from({ length: 200 }, (_, i) => `long${i}`);
    await write(
      names.map((name) => ({ tenant: 'acme/shop', name, host: `${name}.shop` })),
      { addresses, spiffe_ids },
    );
    const list = await told();
    assert.ok(list.length > 100, 'as many as there is room for');
    const size = JSON.stringify(list).length;
    assert.ok(size <= 4 * 1024 * 1024, `${size} characters`);
    expectOwn(list);
  });
  it('take no room from another tenant, however many tenants it makes below its own', async () => {
    const below = Array.from({ length: 2_100 }, (_, i) => ({
      tenant: `acme/shop/t${i}`,
      name: 'one',
      host: `t${i}.shop`,
    }));
    await write(below, { addresses: [], spiffe_ids: [ID] });
    const list = await told();
    assert.equal(list.length, 2_000);
    expectOwn(list);
  });
});
