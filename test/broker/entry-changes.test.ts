import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Reply, spendGrant } from '../support/attest-client.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, joinEntry, openSite, type Site, type TestBroker } from './site.ts';

const at = (seconds: number) => `${new Date(Date.now() + seconds * 1_000).toISOString().slice(0, 19)}Z`;

describe('an entry that is there', () => {
  let site: Site;
  let brokers: readonly [TestBroker, TestBroker];
  let ssh: SshKeygen;
  before(async () => {
    site = await openSite();
    [brokers, ssh] = await Promise.all([Promise.all([site.startBroker(), site.startBroker()]), sshKeygen()]);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const call = (
    method: string,
    name = '',
    body?: object,
    { token = site.registrar.shop, broker = brokers[0] } = {},
  ) => broker.call(method, `/v1/entries${name === '' ? '' : `/acme.shop/${name}`}`, body, token);
  const told = ({ status, body }: Reply) => `${status} ${body?.code ?? body?.spiffe_id ?? ''}`.trim();
  const show = async (key: SshKey, broker = brokers[0]): Promise<Reply> => {
    using client = await broker.connect();
    return await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
  };
  const made = async (name: string, more: object = {}) => {
    const key = await ssh.newKey(name);
    const entry = hostEntry(name, { 'ssh-host:key': key.fingerprint }, more);
    assert.equal(told(await call('POST', '', entry)), `201 spiffe://example.org/ns/shop/sa/${name}`);
    const { tenant: _tenant, name: _name, ...content } = entry as { tenant: string; name: string };
    return { key, content };
  };

  describe('is changed in place', () => {
    it('for all brokers at once: the old key is refused, the new one gets the new ID, and Vault signs that', async () => {
      const { key, content } = await made('moved');
      const next = await ssh.newKey('moved-next');
      const spiffe_id = 'spiffe://example.org/ns/shop/sa/moved-on';
      const changed = await call('PUT', 'moved', {
        ...content,
        ...{ match: { 'ssh-host:key': next.fingerprint }, ttl: '1h', spiffe_id },
      });
      assert.deepEqual(
        [changed.status, changed.body.state, changed.body.ttl, changed.body.name],
        [200, 'active', '1h', 'moved'],
      );
      assert.deepEqual((await call('GET', 'moved')).body, changed.body);
      for (const broker of brokers) {
        assert.equal(told(await show(key, broker)), '403 no_entry');
        const given = await show(next, broker);
        assert.equal(told(given), `201 ${spiffe_id}`);
        assert.ok((await spendGrant(site.vault.request, given.body)).cert);
      }
      const { data } = (await site.vault.request('GET', 'auth/token/roles/signet-acme.shop_moved')).body;
      assert.deepEqual(
        [data.allowed_entity_aliases, data.allowed_policies],
        [['ns/shop/sa/moved-on'], ['signet-workload-1h']],
      );
    });
    it('and the same again changes nothing', async () => {
      const { content } = await made('same');
      const first = await call('PUT', 'same', content);
      assert.deepEqual([first.status, first.body.state], [200, 'active']);
      assert.deepEqual((await call('PUT', 'same', content)).body, first.body);
    });
    it('and stays disabled where it is, without a token role', async () => {
      const { key, content } = await made('off');
      await brokers[0].call('POST', '/v1/entries/acme.shop/off/disable', {}, site.registrar.shop);
      const changed = await call('PUT', 'off', { ...content, ttl: '1h' });
      assert.deepEqual([changed.status, changed.body.state, changed.body.ttl], [200, 'disabled', '1h']);
      assert.equal(told(await show(key)), '403 entry_disabled');
      assert.equal((await site.vault.request('GET', 'auth/token/roles/signet-acme.shop_off')).status, 404);
    });
    it('once by each of many who do it together, whole each time', async () => {
      const { content } = await made('together');
      const ttls = ['15m', '1h', '3s'];
      const replies = await Promise.all(
        Array.from({ length: 9 }, (_, i) =>
          call('PUT', 'together', { ...content, ttl: ttls[i % 3] }, { broker: brokers[i % 2]! }),
        ),
      );
      for (const reply of replies)
        assert.ok(['200', '409 concurrent_write'].includes(told(reply).split(' spiffe')[0]!));
      const last = await call('PUT', 'together', { ...content, ttl: '1h' });
      assert.deepEqual([last.body.state, last.body.ttl], ['active', '1h']);
      const { data } = (await site.vault.request('GET', 'auth/token/roles/signet-acme.shop_together')).body;
      assert.deepEqual(data.allowed_policies, ['signet-workload-1h']);
    });
    it('and a renewal is judged by what it says then', async () => {
      assert.equal((await call('POST', '', joinEntry('renewing'))).status, 201);
      const { body: code } = await brokers[0].call(
        'POST',
        '/v1/entries/acme.shop/renewing/join-code',
        {},
        site.registrar.shop,
      );
      using client = await brokers[0].connect();
      const joined = await client.attest('join', async () => ({ code: code.code }));
      assert.equal(joined.status, 201, JSON.stringify(joined.body));
      const svid = await spendGrant(site.vault.request, joined.body);
      const renew = async (generation: number) => {
        using peer = await brokers[1].connect({ shown: svid });
        const { id: instance_id } = joined.body.instance;
        return await peer.attest('svid', async () => ({ instance_id, generation, next_key: 'a'.repeat(64) }));
      };
      assert.equal((await renew(1)).status, 201);
      const content = { match: { 'join:entry': 'acme/shop/renewing' }, ttl: '15m' };
      const moved = await call('PUT', 'renewing', {
        ...content,
        spiffe_id: 'spiffe://example.org/ns/shop/sa/other',
      });
      assert.equal(moved.status, 200, JSON.stringify(moved.body));
      assert.equal(told(await renew(2)), '403 no_entry');
    });

    const refused: [what: string, name: string, change: object, wanted: string][] = [
      ['that is not there', 'nobody', {}, '404 entry_not_found'],
      ['to a lifetime that is none', 'kept', { ttl: 'long' }, '400 malformed'],
      ['to another name', 'kept', { name: 'other' }, '400 malformed'],
      ['to another state', 'kept', { state: 'disabled' }, '400 malformed'],
      [
        'to an ID outside of its tenant',
        'kept',
        { spiffe_id: 'spiffe://example.org/ns/globex/x' },
        '403 vault_denied',
      ],
      ['to a lifetime that the layout has not', 'kept', { ttl: '2h' }, '403 vault_denied'],
      [
        'to selectors of another entry',
        'kept',
        { match: { 'ssh-host:key': 'SHA256:other' } },
        '409 entry_overlaps',
      ],
    ];
    for (const [what, name, change, wanted] of refused)
      it(`not ${what}: it stays as it was`, async () => {
        const exists = await call('GET', 'kept');
        if (exists.status === 404) {
          await made('kept');
          await call('POST', '', hostEntry('other', { 'ssh-host:key': 'SHA256:other' }));
        }
        const { body: kept } = await call('GET', 'kept');
        const { tenant: _tenant, name: _name, state: _state, ...content } = kept;
        assert.equal(told(await call('PUT', name, { ...content, ...change })), wanted);
        assert.deepEqual((await call('GET', 'kept')).body, kept);
        const { data } = (await site.vault.request('GET', 'auth/token/roles/signet-acme.shop_kept')).body;
        assert.deepEqual(data.allowed_entity_aliases, ['ns/shop/sa/kept']);
      });
    it('not by the registrar of another tenant', async () => {
      const { content } = await made('foreign');
      assert.equal(
        told(await call('PUT', 'foreign', content, { token: site.registrar.globex })),
        '403 vault_denied',
      );
    });
  });

  describe('for a machine that is expected', () => {
    it('gives it its ID when it comes in time, and whenever it comes again', async () => {
      const { key, content } = await made('in-time', { appear_by: at(2) });
      assert.equal(
        (await call('GET', 'in-time')).body.appear_by,
        (content as { appear_by?: string }).appear_by,
      );
      assert.equal((await show(key)).status, 201);
      await new Promise((resolve) => setTimeout(resolve, 3_100));
      for (const broker of brokers) assert.equal((await show(key, broker)).status, 201);
      assert.equal((await (await site.startBroker()).ready()).status, 200);
    });
    it('refuses who comes for the first time when it is too late, until it is told another time', async () => {
      const { key, content } = await made('late', { appear_by: at(-1) });
      for (const broker of brokers) assert.equal(told(await show(key, broker)), '403 entry_overdue');
      const changed = await call('PUT', 'late', { ...content, appear_by: at(60) });
      assert.equal(changed.status, 200, JSON.stringify(changed.body));
      assert.equal((await show(key)).status, 201);
      const overdue = await call('PUT', 'late', { ...content, appear_by: at(-1) });
      assert.equal(overdue.status, 200);
      assert.equal(told(await show(key)), '403 entry_overdue', 'it expects anew');
    });
    for (const wrong of ['tomorrow', '2030-02-30T00:00:00Z', '2030-01-01T00:00:00+01:00', '2030-01-01', 5])
      it(`takes no ${wrong} for a time`, async () => {
        const reply = await call(
          'POST',
          '',
          hostEntry('when', { 'ssh-host:key': 'SHA256:when' }, { appear_by: wrong }),
        );
        assert.equal(told(reply), '400 malformed');
        assert.deepEqual(
          reply.body.errors.map(({ pointer }: { pointer: string }) => pointer),
          ['/appear_by'],
        );
      });
  });
});
