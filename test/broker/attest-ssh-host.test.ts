import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { spendGrant } from '../support/attest-client.ts';
import { type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker } from './site.ts';

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
    });
  }
});
