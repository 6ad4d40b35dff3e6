import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { type Reply, spendGrant } from '../support/attest-client.ts';
import { type AwsSigner, identityDocument, type TestAws, testAws } from '../support/aws.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker, until } from './site.ts';

const ACCOUNT = '123456789012';
const MINUTE = 60_000;
const bare = (text: string) => text.replaceAll('\n', '');

describe('attestation of an EC2 instance by its identity document', function () {
  this.timeout(120_000);
  let site: Site;
  let broker: TestBroker;
  let aws: TestAws;
  let ssh: SshKeygen;
  let signer: AwsSigner;
  let host: SshKey;
  let thief: SshKey;
  let certificates: string;
  let count = 0;

  before(async () => {
    [site, aws, ssh] = await Promise.all([openSite(), testAws(), sshKeygen()]);
    const [frankfurt, virginia] = [await aws.signer('eu-central-1'), await aws.signer('us-east-1')];
    signer = frankfurt;
    [host, thief] = [await ssh.newKey('host'), await ssh.newKey('thief')];
    certificates = `eu-central-1=${frankfurt.certificate} us-east-1=${virginia.certificate}`;
    broker = await site.startBroker({ SIGNET_AWS_CERTIFICATES: certificates });
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await aws?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const register = async (entry: object, status = 201) => {
    const reply = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.equal(reply.status, status, JSON.stringify(reply.body));
    return reply;
  };
  const remove = (name: string) =>
    broker.call('DELETE', `/v1/entries/acme.shop/${name}`, undefined, site.registrar.shop);
  const newInstance = () => `i-${(++count).toString(16).padStart(17, '0')}`;
  const entryOf = (name: string, instanceId: string, more: Readonly<Record<string, string>> = {}) =>
    hostEntry(name, { 'aws:account': ACCOUNT, 'aws:instance': instanceId, ...more });
  const documentOf = async (instanceId: string, more: object = {}, by = signer) =>
    bare(await by.sign(identityDocument({ instanceId, ...more })));
  const show = async (pkcs7: string, key = host, at = broker) => {
    using client = await at.connect();
    return await client.attest('aws', async (proof) => ({ pkcs7, signature: await key.sign(proof) }));
  };
  const lineOf = async ({ body }: Reply, at = broker) => {
    const line = () =>
      at.logs().find((each) => each['correlation_id'] === body.correlation_id && each['outcome']);
    await until(() => line() !== undefined);
    return line()!;
  };
  const expectRefused = async (reply: Reply, reason: string, code = 'attestation_refused', at = broker) => {
    assert.deepEqual([reply.status, reply.body.code], [403, code], JSON.stringify(reply.body));
    assert.equal(String((await lineOf(reply, at))['reason'] ?? '').replace(/:.*/s, ''), reason);
  };

  it('gives the registered instance its ID, and Vault signs that', async () => {
    const instance = newInstance();
    await register(entryOf('web', instance));
    const pkcs7 = await documentOf(instance);
    const reply = await show(pkcs7);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    assert.equal(reply.body.spiffe_id, 'spiffe://example.org/ns/shop/sa/web');
    assert.equal(reply.body.instance.generation, 0);
    const svid = await spendGrant(site.vault.request, reply.body);
    assert.equal(new X509Certificate(svid.cert).subjectAltName, `URI:${reply.body.spiffe_id}`);
    const again = await show(pkcs7);
    assert.deepEqual([again.status, again.body.instance], [201, reply.body.instance], 'after a reboot');
  });
  it('tells its selectors, and the entry with more of them wins', async () => {
    const instance = newInstance();
    await register(entryOf('plain', instance));
    await register(entryOf('exact', instance, { 'aws:region': 'us-east-1', 'aws:image': 'ami-00000001' }));
    await register(entryOf('other', instance, { 'aws:region': 'eu-central-1' }));
    const reply = await show(await documentOf(instance));
    assert.equal(reply.body.spiffe_id, 'spiffe://example.org/ns/shop/sa/other');
    const granted = () => broker.logs().find((each) => each['correlation_id'] === reply.body.correlation_id);
    await until(() => granted() !== undefined);
    assert.deepEqual(granted()!['selectors'], {
      'aws:account': [ACCOUNT],
      'aws:region': ['eu-central-1'],
      'aws:instance': [instance],
      'aws:image': ['ami-0123456789abcdef0'],
    });
  });

  describe('refuses', () => {
    const instance = 'i-00000000000000fff';
    let stolen: string;
    before(async () => {
      await register(entryOf('pinned', instance));
      stolen = await documentOf(instance);
      assert.equal((await show(stolen)).status, 201);
    });

    it('a stolen document with another host key, at every broker, and raises the alarm: DEVICE_MOVED', async () => {
      await expectRefused(await show(stolen, thief), 'DEVICE_MOVED');
      const alarm = await broker.waitForEvent('device_moved_alarm');
      assert.equal(alarm['entry'], 'acme/shop/pinned');
      assert.equal(await broker.metric('signet_broker_device_moved_alarms_total'), 1);
      const second = await site.startBroker({ SIGNET_AWS_CERTIFICATES: certificates });
      await expectRefused(await show(stolen, thief, second), 'DEVICE_MOVED', 'attestation_refused', second);
      assert.equal((await show(stolen)).status, 201, 'the instance itself goes on');
    });
    it('it by a new entry as well', async () => {
      assert.equal((await remove('pinned')).status, 204);
      await register(entryOf('renamed', instance));
      await expectRefused(await show(stolen, thief), 'DEVICE_MOVED');
      const reply = await show(stolen);
      assert.equal(reply.body.spiffe_id, 'spiffe://example.org/ns/shop/sa/renamed');
      assert.equal((await remove('renamed')).status, 204);
      await register(entryOf('pinned', instance));
    });
    it('another instance, and one of another account: no_entry', async () => {
      await expectRefused(await show(await documentOf(newInstance())), '', 'no_entry');
      await expectRefused(
        await show(await documentOf(instance, { accountId: '999999999999' })),
        '',
        'no_entry',
      );
    });
    it('a document that nobody signed: AWS_MALFORMED', async () => {
      const unsigned = Buffer.from(identityDocument({ instanceId: instance })).toString('base64');
      await expectRefused(await show(unsigned), 'AWS_MALFORMED');
    });
    it('one that another authority signed, of the same names: AWS_UNTRUSTED', async () => {
      const stranger = await aws.signer('eu-central-1');
      await expectRefused(await show(await documentOf(instance, {}, stranger)), 'AWS_UNTRUSTED');
    });
    it("one of a region that has no certificate, and one by another region's: AWS_REGION, AWS_UNTRUSTED", async () => {
      await expectRefused(await show(await documentOf(instance, { region: 'eu-west-1' })), 'AWS_REGION');
      await expectRefused(await show(await documentOf(instance, { region: 'us-east-1' })), 'AWS_UNTRUSTED');
    });
    it("the host key's signature of another connection, or for another purpose: AWS_PROOF", async () => {
      using owner = await broker.connect();
      using client = await broker.connect();
      const challenge = await client.challenge();
      const captured = { pkcs7: stolen, signature: await host.sign(owner.proof(challenge)) };
      await expectRefused(
        await client.send('POST', '/v1/attest', { method: 'aws', challenge, evidence: captured }),
        'AWS_PROOF',
      );
      const signature = (proof: Uint8Array) => host.sign(proof, 'file');
      const foreign = await client.attest('aws', async (proof) => ({
        pkcs7: stolen,
        signature: await signature(proof),
      }));
      await expectRefused(foreign, 'AWS_PROOF');
    });
    it('evidence of another form before it is read', async () => {
      using client = await broker.connect();
      for (const pkcs7 of ['', '{}', 'A'.repeat(8_196), 'MIAG\nCSqG'])
        assert.equal((await client.attest('aws', () => ({ pkcs7, signature: 'x' }))).body.code, 'malformed');
    });
    it('an instance that comes late for the first time, and no other: AWS_LATE', async () => {
      const strict = await site.startBroker({
        SIGNET_AWS_CERTIFICATES: certificates,
        SIGNET_AWS_LAUNCHED_WITHIN: '30m',
      });
      const launched = (ago: number) => ({
        pendingTime: `${new Date(Date.now() - ago).toISOString().slice(0, 19)}Z`,
      });
      const [late, early] = [newInstance(), newInstance()];
      await register(entryOf('late', late));
      await register(entryOf('early', early));
      const tardy = await show(await documentOf(late, launched(31 * MINUTE)), host, strict);
      await expectRefused(tardy, 'AWS_LATE', 'attestation_refused', strict);
      assert.equal((await show(await documentOf(late, launched(29 * MINUTE)), host, strict)).status, 201);
      assert.equal((await show(await documentOf(late, launched(90 * MINUTE)), host, strict)).status, 201);
      assert.equal((await show(await documentOf(early, launched(-MINUTE)), host, strict)).status, 201);
    });
    it('a renewal by the SVID alone', async () => {
      const { body } = await show(stolen);
      const svid = await spendGrant(site.vault.request, body);
      using client = await broker.connect({ shown: svid });
      const renewal = { instance_id: body.instance.id, generation: 1, next_key: '0'.repeat(64) };
      assert.equal((await client.attest('svid', () => renewal)).body.code, 'malformed');
    });
    it('all once the entry is disabled', async () => {
      const state = (verb: string) =>
        broker.call('POST', `/v1/entries/acme.shop/pinned/${verb}`, {}, site.registrar.shop);
      assert.equal((await state('disable')).status, 200);
      assert.equal((await show(stolen)).body.code, 'entry_disabled');
      assert.equal((await state('enable')).status, 200);
      assert.equal((await show(stolen)).status, 201);
    });
    it('the first key once an operator has let another be the first', async () => {
      const { body } = await show(stolen);
      const operator = { token: await site.tokenOf('signet-operator') };
      const path = `signet/metadata/instances/${body.instance.id}`;
      assert.equal((await site.vault.request('DELETE', path, undefined, operator)).status, 204);
      assert.equal((await show(stolen, thief)).status, 201);
      await expectRefused(await show(stolen, host), 'DEVICE_MOVED');
    });
  });

  it('lets one of two be the first, at two brokers at once', async () => {
    const instance = newInstance();
    await register(entryOf('race', instance));
    const other = await site.startBroker({ SIGNET_AWS_CERTIFICATES: certificates });
    const pkcs7 = await documentOf(instance);
    const replies = await Promise.all([show(pkcs7, host, broker), show(pkcs7, thief, other)]);
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 403]);
  });

  describe('takes no entry', () => {
    const pair = { 'aws:account': ACCOUNT, 'aws:instance': 'i-0123456789abcdef0' };
    const cases: [string, Readonly<Record<string, string>>, string][] = [
      ['that pins no instance', { 'aws:account': ACCOUNT }, '/match'],
      ['that pins no account', { 'aws:instance': pair['aws:instance'] }, '/match'],
      ['of an account that is none', { ...pair, 'aws:account': '12' }, '/match/aws:account'],
      ['of an instance that is none', { ...pair, 'aws:instance': 'web-1' }, '/match/aws:instance'],
      ['by what no document says', { ...pair, 'aws:vpc': 'vpc-1' }, '/match/aws:vpc'],
    ];
    for (const [what, match, pointer] of cases)
      it(what, async () => {
        const { body } = await register(hostEntry('odd', match), 400);
        assert.deepEqual(
          body.errors.map((each: { pointer: string }) => each.pointer),
          [pointer],
        );
      });
  });
  it('is there only where certificates are named', async () => {
    const without = await site.startBroker();
    const reply = await show(await documentOf(newInstance()), host, without);
    assert.equal(reply.body.code, 'malformed');
  });
});
