import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker, writeDenylist } from './site.ts';

const PATH = 'signet/data/revision';

/** Every registrar raises the one revision, and so may write into it what he likes. */
describe('a revision that the registrar of one tenant wrote', function () {
  this.timeout(120_000);
  let site: Site;
  let ssh: SshKeygen;
  let broker: TestBroker;
  let key: SshKey;

  before(async () => {
    [site, ssh] = await Promise.all([openSite(), sshKeygen()]);
    key = await ssh.newKey('host');
    broker = await site.startBroker({ SIGNET_RELOAD: '10m' });
    await register(hostEntry('host', { 'ssh-host:key': key.fingerprint }));
  });
  after(async () => {
    await ssh?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  const register = async (entry: object) => {
    const reply = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
  };
  const show = async () => {
    using client = await broker.connect();
    const { body } = await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
    return body.code ?? 'given';
  };
  const read = async () => (await site.vault.request('GET', PATH)).body.data;
  const write = async (data: object) => {
    const { metadata } = await read();
    const token = { token: site.registrar.globex };
    const body = { data, options: { cas: metadata.version } };
    assert.equal((await site.vault.request('POST', PATH, body, token)).status, 200);
  };

  for (const data of [{ revision: 'many' }, { revision: Number.MAX_SAFE_INTEGER }, { changed: 7 }, {}]) {
    it(`stops nobody, be it ${JSON.stringify(data)}`, async () => {
      await write(data);
      assert.equal(await show(), 'given');
      const name = `after-${Object.keys(data).length}-${String(Object.values(data)[0] ?? 'none').length}`;
      await register(hostEntry(name, { 'ssh-host:key': `SHA256:${name.padEnd(43, 'x')}` }));
      assert.equal(await show(), 'given');
    });
  }
  it('is not kept for ever, as what numbers to come are said to have changed', async () => {
    const { data } = await read();
    const changed = { [data.revision + 1_000]: 'x'.repeat(1_000) };
    await write({ revision: data.revision + 1, changed });
    await register(hostEntry('last', { 'ssh-host:key': `SHA256:${'y'.repeat(43)}` }));
    assert.deepEqual(Object.values((await read()).data.changed), ['entries/acme.shop/last']);
  });
  it('hides no deny-list by going back to the number that brokers have seen', async () => {
    assert.equal(await show(), 'given');
    const { data } = await read();
    await writeDenylist(site, { ids: ['spiffe://example.org/ns/shop/sa/host'], serials: [] });
    await write(data);
    assert.equal(await show(), 'identity_denied');
    await writeDenylist(site, { ids: [], serials: [] });
    assert.equal(await show(), 'given');
  });
});
