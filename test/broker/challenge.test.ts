import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { after, before, describe, it } from 'mocha';
import { mintChallenge } from '../../lib/attestation/index.ts';
import type { AttestClient, Reply } from '../support/attest-client.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker } from './site.ts';

describe('a challenge', () => {
  let site: Site;
  let [broker, second]: TestBroker[] = [];
  let ssh: SshKeygen;
  let key: SshKey;
  before(async () => {
    site = await openSite();
    [broker, second] = await Promise.all([site.startBroker(), site.startBroker()]);
    ssh = await sshKeygen();
    key = await ssh.newKey('host');
    await broker!.call(
      'POST',
      '/v1/entries',
      hostEntry('host', { 'ssh-host:key': key.fingerprint }),
      site.registrar.shop,
    );
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const answer = async (client: AttestClient, challenge: string): Promise<Reply> =>
    client.send('POST', '/v1/attest', {
      method: 'ssh-host',
      challenge,
      evidence: { signature: await key.sign(client.proof(challenge)) },
    });
  const expectInvalid = (reply: Reply) =>
    assert.deepEqual([reply.status, reply.body.code], [401, 'challenge_invalid']);
  /** As a broker would make it whose clock stands at `now`. */
  const minted = async (
    client: AttestClient,
    now: Date,
    epoch = Math.floor(now.getTime() / 600_000),
    trustDomain = 'example.org',
  ) => {
    const input = Buffer.from(`signet-challenge-v1|${epoch}`).toString('base64');
    const { body } = await site.vault.request('POST', 'signet-transit/hmac/challenge', { input });
    const mac = Buffer.from(body.data.hmac.split(':')[2], 'base64');
    return mintChallenge(mac, randomBytes(16), now, { trustDomain, exporter: client.exporter }).text;
  };

  it('lives for a minute and says so', async () => {
    using client = await broker!.connect();
    const { body } = await client.send('POST', '/v1/challenge', {});
    assert.equal(body.trust_domain, 'example.org');
    assert.equal(Date.parse(body.expires_at) - Date.parse(body.server_time) > 59_000, true);
    assert.ok(Math.abs(Date.parse(body.server_time) - Date.now()) < 5_000);
  });
  it('is good once', async () => {
    using client = await broker!.connect();
    const challenge = await client.challenge();
    assert.equal((await answer(client, challenge)).status, 201);
    expectInvalid(await answer(client, challenge));
  });
  it('is used up by evidence that fails', async () => {
    using client = await broker!.connect();
    const challenge = await client.challenge();
    const signature = await key.sign(Buffer.from('something else'));
    const failed = await client.send('POST', '/v1/attest', {
      method: 'ssh-host',
      challenge,
      evidence: { signature },
    });
    assert.equal(failed.status, 403);
    expectInvalid(await answer(client, challenge));
  });
  it('of two answers at the same time, one counts', async () => {
    using client = await broker!.connect();
    const challenge = await client.challenge();
    const replies = await Promise.all([answer(client, challenge), answer(client, challenge)]);
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 401]);
  });
  it('is worth nothing on another connection', async () => {
    using one = await broker!.connect();
    using other = await broker!.connect();
    expectInvalid(await answer(other, await one.challenge()));
  });
  it('of one broker is worth nothing at another, whose connection is another', async () => {
    using one = await broker!.connect();
    using other = await second!.connect();
    expectInvalid(await answer(other, await one.challenge()));
  });
  it('is made with a key that every broker derives from Vault, now, in the epoch before and in the one after', async () => {
    for (const at of [broker!, second!]) {
      for (const step of [-1, 0, 1]) {
        using client = await at.connect();
        const now = new Date();
        const challenge = await minted(client, now, Math.floor(now.getTime() / 600_000) + step);
        assert.equal((await answer(client, challenge)).status, 201, `epoch ${step}`);
      }
    }
  });
  it('is refused when it has expired', async () => {
    using client = await broker!.connect();
    expectInvalid(await answer(client, await minted(client, new Date(Date.now() - 60_500))));
  });
  it('is refused when its key is of another time', async () => {
    using client = await broker!.connect();
    const now = new Date();
    expectInvalid(await answer(client, await minted(client, now, Math.floor(now.getTime() / 600_000) - 2)));
  });
  it('is refused when it is for another trust domain', async () => {
    using client = await broker!.connect();
    expectInvalid(await answer(client, await minted(client, new Date(), undefined, 'example.com')));
  });
  it('is refused when it is made with a guessed key', async () => {
    using client = await broker!.connect();
    const mac = createHmac('sha256', 'guess').digest();
    const { text } = mintChallenge(mac, randomBytes(16), new Date(), {
      trustDomain: 'example.org',
      exporter: client.exporter,
    });
    expectInvalid(await answer(client, text));
  });
  for (const [what, text] of [
    ['empty', ''],
    ['a word', 'please'],
    ['a byte short', Buffer.alloc(55).toString('base64url')],
    ['spelled in another way', `${Buffer.alloc(56).toString('base64url').slice(0, -1)}B`],
  ] as const) {
    it(`is refused when it is ${what}`, async () => {
      using client = await broker!.connect();
      expectInvalid(await answer(client, text));
    });
  }
  it('is not given without end on one connection', async () => {
    using client = await broker!.connect();
    for (let i = 0; i < 32; i++) {
      const challenge = await client.challenge();
      await client.send('POST', '/v1/attest', { method: 'join', challenge, evidence: { code: 'x' } });
    }
    expectInvalid(await answer(client, await client.challenge()));
  });
});

describe('the TLS of the broker', () => {
  let site: Site;
  let broker: TestBroker;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
  });
  after(() => site?.[Symbol.asyncDispose]());

  const tls = (options: object) =>
    new Promise<{ reused: boolean; session: Buffer | undefined }>((resolve, reject) => {
      const [host, port] = broker.address.split(':');
      let session: Buffer | undefined;
      let reused = false;
      const socket = connect(
        { host, port: Number(port), ca: site.ca, checkServerIdentity: () => undefined, ...options },
        () => {
          reused = socket.isSessionReused();
          socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        },
      );
      socket.on('session', (given) => {
        session = given;
      });
      socket.on('data', () => {});
      socket.on('error', reject);
      socket.on('close', () => resolve({ reused, session }));
    });

  it('is of version 1.3', async () => {
    await assert.rejects(tls({ maxVersion: 'TLSv1.2' }), /protocol version/);
  });
  it('takes up no earlier session: the certificate is looked at each time', async () => {
    const first = await tls({});
    assert.notEqual(first.session, undefined, 'there is something to take up');
    const again = await tls({ session: first.session });
    assert.equal(again.reused, false);
  });
  it("shows the broker's SPIFFE ID, the names it was told, and a chain to the root", async () => {
    using client = await broker.connect();
    const certificate = client.socket.getPeerX509Certificate();
    assert.equal(
      certificate?.subjectAltName?.split(', ').sort().join(' '),
      'DNS:localhost IP Address:127.0.0.1 URI:spiffe://example.org/signet/broker',
    );
    assert.equal(client.socket.authorized, true);
  });
});
