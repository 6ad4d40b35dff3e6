import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker } from './site.ts';

describe('an explanation', () => {
  let site: Site;
  let broker: TestBroker;
  let ssh: SshKeygen;
  let known: SshKey;
  let stranger: SshKey;
  let theirs: SshKey;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    ssh = await sshKeygen();
    [known, stranger, theirs] = [
      await ssh.newKey('known'),
      await ssh.newKey('stranger'),
      await ssh.newKey('theirs'),
    ];
    const create = async (entry: object, token: string) => {
      const reply = await broker.call('POST', '/v1/entries', entry, token);
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
    };
    await create(hostEntry('known', { 'ssh-host:key': known.fingerprint }), site.registrar.shop);
    const other = { ...hostEntry('theirs', { 'ssh-host:key': theirs.fingerprint }), tenant: 'globex' };
    await create({ ...other, spiffe_id: 'spiffe://example.org/ns/globex/sa/theirs' }, site.registrar.globex);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const attest = async (key: SshKey, over?: Buffer): Promise<string> => {
    using client = await broker.connect();
    const reply = await client.attest('ssh-host', async (proof) => ({
      signature: await key.sign(over ?? proof),
    }));
    return reply.body.correlation_id;
  };
  const explain = (id: string, token?: string) =>
    broker.call('GET', `/v1/explanations/${id}`, undefined, token);

  it('names every entry considered and the claim that differed', async () => {
    const { status, body } = await explain(await attest(stranger), await site.tokenOf('signet-viewer'));
    assert.equal(status, 200);
    assert.deepEqual([body.outcome, body.method], ['no_entry', 'ssh-host']);
    assert.deepEqual(body.selectors, { 'ssh-host:key': [stranger.fingerprint] });
    const mine = body.considered.find(({ entry }: { entry: string }) => entry === 'acme/shop/known');
    assert.deepEqual(mine, {
      entry: 'acme/shop/known',
      state: 'active',
      matched: false,
      differs: { selector: 'ssh-host:key', wanted: known.fingerprint, found: [stranger.fingerprint] },
    });
    assert.equal(body.considered.length, 2);
  });
  it('says what was granted, too', async () => {
    const { body } = await explain(await attest(known), site.registrar.shop);
    assert.deepEqual(
      [body.outcome, body.entry, body.spiffe_id],
      ['granted', 'acme/shop/known', 'spiffe://example.org/ns/shop/sa/known'],
    );
  });
  it('says why evidence was refused, to those who may see all entries', async () => {
    const id = await attest(known, Buffer.from('another message'));
    const { body } = await explain(id, await site.tokenOf('signet-operator'));
    assert.match(body.reason, /SSH_BAD_SIGNATURE/);
    assert.equal((await explain(id, site.registrar.shop)).status, 403);
  });
  it('says of a challenge that was no good that it was that', async () => {
    using client = await broker.connect();
    const evidence = { signature: await known.sign(Buffer.from('x')) };
    const reply = await client.send('POST', '/v1/attest', { method: 'ssh-host', challenge: 'old', evidence });
    const { body } = await explain(reply.body.correlation_id, await site.tokenOf('signet-viewer'));
    assert.deepEqual([body.outcome, body.reason], ['challenge_invalid', 'the challenge is not one of ours']);
    await broker.waitForEvent('refused', ({ outcome }) => outcome === 'challenge_invalid');
  });
  it("shows a tenant's registrar its own entries and no other's", async () => {
    const { body } = await explain(await attest(stranger), site.registrar.shop);
    assert.deepEqual(
      body.considered.map(({ entry }: { entry: string }) => entry),
      ['acme/shop/known'],
    );
    assert.doesNotMatch(JSON.stringify(body), /globex/);
    const granted = await explain(await attest(theirs), site.registrar.shop);
    assert.doesNotMatch(JSON.stringify(granted.body), /globex/);
  });
  it('is for nobody without a token, and for no token that may see no entries', async () => {
    const id = await attest(stranger);
    assert.equal((await explain(id)).body.code, 'token_missing');
    assert.equal((await explain(id, 'hvs.nobody')).body.code, 'vault_denied');
    assert.equal((await explain(id, await site.tokenOf('signet-workload-15m'))).body.code, 'vault_denied');
  });
  it('is not there for what never happened', async () => {
    assert.equal(
      (await explain(crypto.randomUUID(), site.registrar.shop)).body.code,
      'explanation_not_found',
    );
  });
  it('holds no evidence', async () => {
    const { body } = await explain(await attest(known), await site.tokenOf('signet-viewer'));
    assert.doesNotMatch(JSON.stringify(body), /SSH SIGNATURE|hvs\./);
  });
});
