import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { type Reply, spendGrant } from '../support/attest-client.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import {
  hostEntry,
  openSite,
  type Site,
  type TestBroker,
  touchRevision,
  until,
  writeDenylist,
} from './site.ts';

describe('attestation of a host by its SSH host key', () => {
  let site: Site;
  let broker: TestBroker;
  let ssh: SshKeygen;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    ssh = await sshKeygen();
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });
  /** A host might show a pinned key and a certificate at once: entries for the one and for the other do not live side by side. */
  const remove = async (...names: string[]) => {
    for (const name of names) {
      const reply = await broker.call(
        'DELETE',
        `/v1/entries/acme.shop/${name}`,
        undefined,
        site.registrar.shop,
      );
      assert.equal(reply.status, 204, JSON.stringify(reply.body));
    }
  };
  const register = async (entry: object) => {
    const reply = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
  };

  for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
    it(`gives the holder of a pinned ${type} key its ID, and Vault signs that and no other`, async () => {
      const key = await ssh.newKey(`pinned-${type}`, type);
      await register(hostEntry(`pinned-${type}`, { 'ssh-host:key': key.fingerprint }));
      using client = await broker.connect();
      const reply = await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
      assert.equal(reply.body.spiffe_id, `spiffe://example.org/ns/shop/sa/pinned-${type}`);
      assert.deepEqual([reply.body.ttl, reply.body.ttl_seconds], ['15m', 900]);
      assert.equal(reply.body.grant.creation_path, `auth/token/create/signet-acme.shop_pinned-${type}`);
      assert.deepEqual(reply.body.vault, {
        address: site.vault.address,
        namespace: '',
        mount: 'signet-pki',
        role: 'workload',
      });
      assert.equal(reply.body.instance.generation, 0);
      const svid = await spendGrant(site.vault.request, reply.body);
      assert.equal(new X509Certificate(svid.cert).subjectAltName, `URI:${reply.body.spiffe_id}`);
      await remove(`pinned-${type}`);
    });
  }

  const show = async (key: SshKey) => {
    using client = await broker.connect();
    return await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
  };
  const expectRefused = (reply: Reply, code: string) =>
    assert.deepEqual([reply.status, reply.body.code], [403, code]);

  describe('with a certificate of a host CA', () => {
    let ca: SshKey;
    before(async () => {
      ca = await ssh.newKey('host-ca');
      await register({
        ...hostEntry('fleet', { 'ssh-host:ca': ca.fingerprint }),
        spiffe_id: 'spiffe://example.org/ns/shop/host/{ssh-host:principal}',
      });
    });
    after(() => remove('fleet', 'named'));
    const certified = async (name: string, principals: string, more: object = {}) =>
      await (await ssh.newKey(name)).certify(ca, { principals, ...more });

    it('puts the principal into the ID where the entry says so', async () => {
      const reply = await show(await certified('vm-7', 'vm-7.shop'));
      assert.equal(
        reply.body.spiffe_id,
        'spiffe://example.org/ns/shop/host/vm-7.shop',
        JSON.stringify(reply.body),
      );
      await spendGrant(site.vault.request, reply.body);
    });
    for (const [what, principals] of [
      ['a star', '*'],
      ['a star within', 'vm*'],
      ['upper case', 'VM-7'],
      ['a slash', 'a/b'],
      ['two dots', '..'],
      ['two principals, where one is needed', 'vm-8,vm-9'],
    ] as const) {
      it(`refuses ${what} where a path segment has to be`, async () => {
        expectRefused(
          await show(await certified(`odd-${principals.length}-${what.length}`, principals)),
          'attestation_refused',
        );
      });
    }
    it('refuses a certificate that has expired', async () => {
      expectRefused(
        await show(await certified('late', 'late', { validity: '-2h:-1h' })),
        'attestation_refused',
      );
    });
    it("refuses a user's certificate", async () => {
      expectRefused(await show(await certified('alice', 'alice', { user: true })), 'attestation_refused');
    });
    it('knows no host of another CA', async () => {
      const other = await ssh.newKey('other-ca');
      expectRefused(
        await show(await (await ssh.newKey('stray')).certify(other, { principals: 'stray' })),
        'no_entry',
      );
    });
    it('prefers the entry with more selectors', async () => {
      await register(hostEntry('named', { 'ssh-host:ca': ca.fingerprint, 'ssh-host:principal': 'db-1' }));
      const reply = await show(await certified('db-1', 'db-1'));
      assert.equal(reply.body.spiffe_id, 'spiffe://example.org/ns/shop/sa/named');
    });
  });

  it('knows no key that nobody registered', async () => {
    expectRefused(await show(await ssh.newKey('stranger')), 'no_entry');
  });

  describe('refuses a signature', () => {
    let key: SshKey;
    before(async () => {
      key = await ssh.newKey('signer');
      await register(hostEntry('signer', { 'ssh-host:key': key.fingerprint }));
    });
    const cases: [string, (proof: Buffer) => Promise<string>][] = [
      ['for another purpose', (proof) => key.sign(proof, 'file')],
      ['over something else', (proof) => key.sign(Buffer.concat([proof, Buffer.from('x')]))],
      [
        'over another trust domain',
        (proof) => key.sign(Buffer.from(proof.toString().replace('example.org', 'example.com'))),
      ],
      ['that is none', async () => '-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n'],
    ];
    for (const [what, sign] of cases) {
      it(what, async () => {
        using client = await broker.connect();
        const reply = await client.attest('ssh-host', async (proof) => ({ signature: await sign(proof) }));
        expectRefused(reply, 'attestation_refused');
      });
    }
    it("with another key's name on it", async () => {
      const thief = await ssh.newKey('thief');
      using client = await broker.connect();
      const reply = await client.attest('ssh-host', async (proof) => ({
        signature: await graft(await thief.sign(proof), await key.sign(proof)),
      }));
      expectRefused(reply, 'attestation_refused');
    });
    it('captured on another connection', async () => {
      using owner = await broker.connect();
      using thief = await broker.connect();
      const challenge = await thief.challenge();
      const signature = await key.sign(owner.proof(challenge));
      expectRefused(
        await thief.send('POST', '/v1/attest', { method: 'ssh-host', challenge, evidence: { signature } }),
        'attestation_refused',
      );
    });
  });

  describe('with entries that', () => {
    const state = async (name: string, verb: string) => {
      const reply = await broker.call(
        'POST',
        `/v1/entries/acme.shop/${name}/${verb}`,
        {},
        site.registrar.shop,
      );
      assert.equal(reply.status, 200, JSON.stringify(reply.body));
    };

    it('are disabled, refuses; enabled again, gives', async () => {
      const key = await ssh.newKey('switched');
      await register(hostEntry('switched', { 'ssh-host:key': key.fingerprint }));
      await state('switched', 'disable');
      expectRefused(await show(key), 'entry_disabled');
      await state('switched', 'enable');
      assert.equal((await show(key)).status, 201);
    });
    it('are deleted, knows it no more', async () => {
      const key = await ssh.newKey('deleted');
      await register(hostEntry('deleted', { 'ssh-host:key': key.fingerprint }));
      assert.equal((await show(key)).status, 201);
      assert.equal(
        (await broker.call('DELETE', '/v1/entries/acme.shop/deleted', undefined, site.registrar.shop)).status,
        204,
      );
      expectRefused(await show(key), 'no_entry');
    });
    it('tie, written past the broker, gives neither', async () => {
      const key = await ssh.newKey('tied');
      for (const [tenant, name] of [
        ['acme/shop', 'tied'],
        ['globex', 'tied'],
      ] as const) {
        const entry = {
          ...hostEntry(name, { 'ssh-host:key': key.fingerprint }),
          ...{ tenant, networks: [], federates_with: [], state: 'active' },
        };
        await site.vault.request('POST', `signet/data/entries/${tenant.replaceAll('/', '.')}/${name}`, {
          data: entry,
          options: { cas: 0 },
        });
      }
      await touchRevision(site);
      expectRefused(await show(key), 'entry_ambiguous');
    });
    it('pin nothing, written past the broker, are passed over', async () => {
      const ca = await ssh.newKey('own-ca');
      const entry = {
        ...hostEntry('loose', { 'ssh-host:principal': 'vm-1' }),
        ...{ networks: [], federates_with: [], state: 'active' },
      };
      await site.vault.request('POST', 'signet/data/entries/acme.shop/loose', {
        data: entry,
        options: { cas: 0 },
      });
      await touchRevision(site);
      expectRefused(
        await show(await (await ssh.newKey('vm-1')).certify(ca, { principals: 'vm-1' })),
        'no_entry',
      );
    });
    it('are on the deny-list, refuses', async () => {
      const key = await ssh.newKey('denied');
      await register(hostEntry('denied', { 'ssh-host:key': key.fingerprint }));
      await writeDenylist(site, { ids: ['spiffe://example.org/ns/shop/sa/denied'], serials: [] });
      expectRefused(await show(key), 'identity_denied');
      await writeDenylist(site, { ids: [], serials: [] });
      assert.equal((await show(key)).status, 201);
    });
    it('stand on a deny-list that cannot be read, refuses all', async () => {
      const key = await ssh.newKey('unread');
      await register(hostEntry('unread', { 'ssh-host:key': key.fingerprint }));
      await writeDenylist(site, { ids: 'all', serials: [] });
      const reply = await show(key);
      assert.deepEqual([reply.status, reply.body.code], [503, 'vault_unavailable']);
      await writeDenylist(site, { ids: [], serials: [] });
      assert.equal((await show(key)).status, 201);
    });
    it('are of an entity that an operator disabled, refuses', async () => {
      const key = await ssh.newKey('killed');
      await register(hostEntry('killed', { 'ssh-host:key': key.fingerprint }));
      assert.equal((await show(key)).status, 201);
      const { body } = await site.vault.request('GET', 'sys/auth');
      const found = await site.vault.request('POST', 'identity/lookup/entity', {
        alias_name: 'ns/shop/sa/killed',
        alias_mount_accessor: body.data['token/'].accessor,
      });
      await site.vault.request('POST', `identity/entity/id/${found.body.data.id}`, { disabled: true });
      expectRefused(await show(key), 'identity_denied');
    });
    it('one of which cannot be read, gives the others', async () => {
      const key = await ssh.newKey('beside');
      await register(hostEntry('beside', { 'ssh-host:key': key.fingerprint }));
      await site.vault.request('POST', 'signet/data/entries/acme.shop/broken', {
        data: { tenant: 7 },
        options: { cas: 0 },
      });
      await touchRevision(site);
      assert.equal((await show(key)).status, 201);
      await until(async () => (await broker.metric('signet_broker_entries_unreadable')) >= 1);
      assert.ok(
        broker
          .logs()
          .some(({ event, entry }) => event === 'entry_unreadable' && entry === 'acme/shop/broken'),
      );
    });
    it('lie where another entry belongs, are passed over', async () => {
      const key = await ssh.newKey('moved');
      const entry = {
        ...hostEntry('moved', { 'ssh-host:key': key.fingerprint }),
        ...{ networks: [], federates_with: [], state: 'active' },
      };
      await site.vault.request('POST', 'signet/data/entries/globex/moved', {
        data: entry,
        options: { cas: 0 },
      });
      await touchRevision(site);
      expectRefused(await show(key), 'no_entry');
    });
  });
});

/** One signature's key with the other's signature: the fields of an SSHSIG, taken apart and put together. */
async function graft(signature: string, other: string): Promise<string> {
  const bytes = (armored: string) => Buffer.from(armored.split('\n').slice(1, -2).join(''), 'base64');
  const [mine, theirs] = [bytes(signature), bytes(other)];
  const keyEnd = (blob: Buffer) => 10 + 4 + blob.readUInt32BE(10);
  const mixed = Buffer.concat([theirs.subarray(0, keyEnd(theirs)), mine.subarray(keyEnd(mine))]);
  return `-----BEGIN SSH SIGNATURE-----\n${mixed.toString('base64').replace(/.{70}/g, '$&\n')}\n-----END SSH SIGNATURE-----\n`;
}
