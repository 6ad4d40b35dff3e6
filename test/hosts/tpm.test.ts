import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { makeCredential } from '../../broker/tpm/credential.ts';
import { startProcess } from '../../harness/processes.ts';
import { readPublic } from '../../lib/tpm/index.ts';
import { openTpm } from '../../sidecar/identity/tpm/tpm.ts';
import { hostEntry, openSite, type Site, type TestBroker, until } from '../broker/site.ts';
import { type AttestClient, type Reply, spendGrant } from '../support/attest-client.ts';
import { keyEncipherment, p256Keys, type TestCa } from '../support/ca.ts';
import { certifyDevice, createDeviceCa } from '../support/device-ca.ts';
import { needSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';

const hashName = (bytes: Uint8Array) => `SHA256:${createHash('sha256').update(bytes).digest('hex')}`;
const KINDS = ['rsa', 'ecc'] as const;
type Kind = (typeof KINDS)[number];

type Evidence = {
  ek: string;
  ak: string;
  ek_certificate?: string;
  secret: string;
  quote: string;
  signature: string;
};

describe('attestation of a machine by its TPM', function () {
  this.timeout(120_000);
  let tpm: Swtpm;
  let other: Swtpm;
  let maker: TestCa;
  let site: Site;
  let broker: TestBroker;
  /** Of `tpm`. */
  const eks = {} as Record<Kind, string>;

  before(async function () {
    needSwtpm(this);
    [tpm, other, site, maker] = await Promise.all([
      startSwtpm(),
      startSwtpm(),
      openSite(),
      createDeviceCa('maker'),
    ]);
    for (const kind of KINDS) eks[kind] = hashName((await publicOf(kind)).spkiDer);
    await certifyEcc();
    await writeFile(join(site.dir, 'makers.pem'), tpm.ca + maker.pem);
    broker = await site.startBroker({ SIGNET_TPM_CAS: join(site.dir, 'makers.pem') });
    for (const kind of KINDS) await register(hostEntry(`vm-${kind}`, { 'tpm:ek': eks[kind] }));
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await tpm?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
  });

  const publicOf = async (kind: Kind, of = tpm) => {
    await using conversation = await openTpm({ socket: of.socket });
    return readPublic((await conversation.endorsementKey(kind)).publicPart);
  };
  /** The maker of the software TPM certifies no key of P-256: that certificate is written as a maker would. */
  const certifyEcc = async () => {
    const { spkiDer } = await publicOf('ecc');
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const publicKey = await webcrypto.subtle.importKey('spki', new Uint8Array(spkiDer), algorithm, true, [
      'verify',
    ]);
    const { privateKey } = await p256Keys();
    const { der } = await certifyDevice(maker, 'tpm', {
      keys: { publicKey, privateKey },
      keyUsage: keyEncipherment,
      extendedKeyUsage: ['2.23.133.8.1'],
    });
    await writeFile(join(tpm.dir, 'ecc.der'), der);
    await tpm.tool(
      'tpm2_nvdefine',
      '0x1c0000a',
      '-C',
      'o',
      '-s',
      `${der.length}`,
      '-a',
      'ownerread|ownerwrite|authread',
    );
    await tpm.tool('tpm2_nvwrite', '0x1c0000a', '-C', 'o', '-i', 'ecc.der');
  };
  const register = async (entry: object, status = 201) => {
    const reply = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.equal(reply.status, status, JSON.stringify(reply.body));
    return reply;
  };
  /** Each step by hand; `distort` is what an attacker does. */
  const evidenceOf = async (
    client: AttestClient,
    challenge: string,
    { kind = 'rsa', of = tpm }: { kind?: Kind; of?: Swtpm } = {},
  ): Promise<Evidence> => {
    await using conversation = await openTpm({ socket: of.socket });
    const [ek, ak] = [await conversation.endorsementKey(kind), await conversation.attestationKey()];
    const certificate = await conversation.certificate(kind);
    const keys = { ek: ek.publicPart.toString('base64'), ak: ak.publicPart.toString('base64') };
    const { status, body } = await client.send('POST', '/v1/tpm/credential', { challenge, ...keys });
    assert.equal(status, 200, JSON.stringify(body));
    const [blob, secret] = [body.credential_blob, body.encrypted_secret].map((each) =>
      Buffer.from(each, 'base64'),
    );
    const opened = await conversation.activate(ak, ek, blob!, secret!);
    const digest = createHash('sha256').update(client.proof(challenge)).digest();
    const { quote, signature } = await conversation.quote(ak, digest);
    return {
      ...keys,
      ...(certificate === undefined ? {} : { ek_certificate: certificate.toString('base64') }),
      secret: opened.toString('base64'),
      quote: quote.toString('base64'),
      signature: signature.toString('base64'),
    };
  };
  const show = async (
    options: { kind?: Kind; of?: Swtpm; at?: TestBroker } = {},
    distort: (evidence: Evidence, client: AttestClient) => Evidence | Promise<Evidence> = (evidence) =>
      evidence,
  ) => {
    using client = await (options.at ?? broker).connect();
    const challenge = await client.challenge();
    const evidence = await distort(await evidenceOf(client, challenge, options), client);
    return await client.send('POST', '/v1/attest', { method: 'tpm', challenge, evidence });
  };
  const expectRefused = async ({ status, body }: Reply, reason: string) => {
    assert.deepEqual([status, body.code], [403, 'attestation_refused'], JSON.stringify(body));
    const line = () =>
      broker.logs().find((each) => each['correlation_id'] === body.correlation_id && each['reason']);
    await until(() => line() !== undefined);
    assert.equal(String(line()!['reason']).replace(/:.*/s, ''), reason);
  };

  for (const kind of KINDS) {
    it(`gives the holder of a pinned ${kind} endorsement key its ID, and Vault signs that`, async () => {
      const reply = await show({ kind });
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
      const id = `spiffe://example.org/ns/shop/sa/vm-${kind}`;
      assert.equal(reply.body.spiffe_id, id);
      assert.equal(reply.body.instance.generation, 0);
      const svid = await spendGrant(site.vault.request, reply.body);
      assert.equal(new X509Certificate(svid.cert).subjectAltName, `URI:${id}`);
    });
    it(`gives a sidecar its SVID by the ${kind} key, and again once the machine has started anew`, async () => {
      await writeFile(join(site.dir, 'root.pem'), site.ca);
      await using sidecar = await startProcess({
        args: ['sidecar'],
        env: {
          SIGNET_TRUST_DOMAIN: 'example.org',
          SIGNET_BROKER_URL: `https://${broker.address}`,
          SIGNET_BROKER_CA: join(site.dir, 'root.pem'),
          SIGNET_ATTEST: `tpm:unix:${tpm.socket}${kind === 'ecc' ? ',ecc' : ''}`,
          SIGNET_MODE: 'agent',
          SIGNET_AUDIT: join(site.dir, `audit-${kind}`),
        },
      });
      const { spiffe_id: id } = await sidecar.waitForEvent('svid', undefined, 60_000);
      assert.equal(id, `spiffe://example.org/ns/shop/sa/vm-${kind}`);
      await tpm.restart();
      const renewed = sidecar.nextEvent('svid', 60_000);
      sidecar.send('SIGHUP');
      await renewed;
      for (const what of ['handles-transient', 'handles-loaded-session'])
        assert.equal(await tpm.tool('tpm2_getcap', what), '', 'nothing is left in the TPM');
    });
  }
  for (const kind of KINDS)
    it(`speaks with the ${kind} key of a character device, and of a port`, async () => {
      const nameOf = async (place: Parameters<typeof openTpm>[0]) => {
        await using conversation = await openTpm(place);
        const [ek, ak] = [await conversation.endorsementKey(kind), await conversation.attestationKey()];
        const secret = randomBytes(32);
        const wrapped = makeCredential(
          readPublic(ek.publicPart),
          readPublic(ak.publicPart).nameOfKey,
          secret,
        );
        assert.deepEqual(await conversation.activate(ak, ek, wrapped.blob, wrapped.secret), secret);
        assert.ok((await conversation.certificate(kind)) !== undefined);
        return hashName(readPublic(ek.publicPart).spkiDer);
      };
      {
        await using device = await tpm.device();
        assert.equal(await nameOf({ device: device.path }), eks[kind]);
      }
      const port = createServer((caller) => {
        const behind = connect(tpm.socket);
        caller.pipe(behind).pipe(caller);
        for (const each of [caller, behind]) each.on('error', () => each.destroy());
      });
      port.listen(0, '127.0.0.1');
      await once(port, 'listening');
      const address = port.address() as AddressInfo;
      assert.equal(await nameOf({ host: '127.0.0.1', port: address.port }), eks[kind]);
      port.close();
    });
  it('is the same at every broker', async () => {
    const second = await site.startBroker({ SIGNET_TPM_CAS: 'none' });
    assert.equal((await show({ at: second })).status, 201);
  });
  it('tells the maker that certified the key, if it is one that is believed', async () => {
    const selectorsOf = async (kind: Kind, of = tpm) => {
      const { body } = await show({ kind, of });
      const line = () => broker.logs().find((each) => each['correlation_id'] === body.correlation_id);
      await until(() => line() !== undefined);
      return line()!['selectors'] as Record<string, string[]>;
    };
    const ca = (pem: string) => [
      hashName(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })),
    ];
    assert.deepEqual(await selectorsOf('rsa'), { 'tpm:ek': [eks.rsa], 'tpm:ca': ca(tpm.ca) });
    assert.deepEqual(await selectorsOf('ecc'), { 'tpm:ek': [eks.ecc], 'tpm:ca': ca(maker.pem) });
    // its maker is of the same name, with another key
    await expectRefused(await show({ of: other }), 'DEVICE_SIGNATURE');
    assert.deepEqual(Object.keys(await selectorsOf('ecc', other)), ['tpm:ek']);
  });
  it('knows no TPM that nobody registered', async () => {
    const { status, body } = await show({ of: other, kind: 'ecc' });
    assert.deepEqual([status, body.code], [403, 'no_entry']);
  });
  it('refuses entries that pin no key', async () => {
    await register(hostEntry('any', { 'tpm:ca': eks.rsa }), 400);
    await register(hostEntry('odd', { 'tpm:ek': 'SHA256:x' }), 400);
    await register(hostEntry('odd', { 'tpm:ek': hashName(Buffer.of()), 'tpm:pcr': '0' }), 400);
  });
  it('refuses a machine whose entry is disabled', async () => {
    const state = (verb: string) =>
      broker.call('POST', `/v1/entries/acme.shop/vm-ecc/${verb}`, {}, site.registrar.shop);
    assert.equal((await state('disable')).status, 200);
    assert.equal((await show({ kind: 'ecc' })).body.code, 'entry_disabled');
    assert.equal((await state('enable')).status, 200);
    assert.equal((await show({ kind: 'ecc' })).status, 201);
  });

  describe('refuses', () => {
    const altered = (text: string, at: number) => {
      const bytes = Buffer.from(text, 'base64');
      bytes[at < 0 ? bytes.length + at : at]! ^= 1;
      return bytes.toString('base64');
    };
    it('the endorsement key of another TPM: TPM_CREDENTIAL', async () => {
      const { ek } = await captured(other);
      await expectRefused(
        await show({}, ({ ek_certificate: _, ...evidence }) => ({ ...evidence, ek })),
        'TPM_CREDENTIAL',
      );
    });
    it('an attestation key of another TPM, which opens nothing for it', async () => {
      const { ek, ak } = { ...(await captured(other)), ek: (await captured(tpm)).ek };
      using client = await broker.connect();
      const challenge = await client.challenge();
      const { status, body } = await client.send('POST', '/v1/tpm/credential', { challenge, ek, ak });
      assert.equal(status, 200);
      await using conversation = await openTpm({ socket: tpm.socket });
      const own = await conversation.attestationKey();
      const [blob, secret] = [body.credential_blob, body.encrypted_secret].map((each) =>
        Buffer.from(each, 'base64'),
      );
      const opening = conversation.activate(own, await conversation.endorsementKey('rsa'), blob!, secret!);
      await assert.rejects(opening, /the TPM refuses activateCredential/);
    });
    it('an attestation key that was swapped: TPM_CREDENTIAL', async () => {
      const { ak } = await captured(other);
      await expectRefused(await show({}, (evidence) => ({ ...evidence, ak })), 'TPM_CREDENTIAL');
    });
    it('a secret that was guessed: TPM_CREDENTIAL', async () => {
      const secret = randomBytes(32).toString('base64');
      await expectRefused(await show({}, (evidence) => ({ ...evidence, secret })), 'TPM_CREDENTIAL');
      await expectRefused(await show({}, (evidence) => ({ ...evidence, secret: 'AA==' })), 'TPM_CREDENTIAL');
    });
    it('evidence of another connection: TPM_CREDENTIAL', async () => {
      const evidence = await captured(tpm);
      await expectRefused(await show({}, () => evidence), 'TPM_CREDENTIAL');
    });
    it('a challenge that was answered before', async () => {
      using client = await broker.connect();
      const challenge = await client.challenge();
      const evidence = await evidenceOf(client, challenge);
      const body = { method: 'tpm', challenge, evidence };
      assert.equal((await client.send('POST', '/v1/attest', body)).status, 201);
      assert.equal((await client.send('POST', '/v1/attest', body)).body.code, 'challenge_invalid');
      const { ek, ak } = evidence;
      const again = await client.send('POST', '/v1/tpm/credential', { challenge, ek, ak });
      assert.equal(again.body.code, 'challenge_invalid');
    });
    it('a challenge of another connection', async () => {
      using client = await broker.connect();
      using thief = await broker.connect();
      const { ek, ak } = await captured(tpm);
      const asked = await thief.send('POST', '/v1/tpm/credential', {
        challenge: await client.challenge(),
        ek,
        ak,
      });
      assert.equal(asked.body.code, 'challenge_invalid');
    });
    it('a quote of something else: TPM_QUOTE_FOREIGN', async () => {
      const { quote, signature } = await captured(tpm);
      await expectRefused(
        await show({}, (evidence) => ({ ...evidence, quote, signature })),
        'TPM_QUOTE_FOREIGN',
      );
    });
    it('an altered quote, or an altered signature: TPM_QUOTE_SIGNATURE', async () => {
      for (const at of [8, -1])
        await expectRefused(
          await show({}, (evidence) => ({ ...evidence, quote: altered(evidence.quote, at) })),
          'TPM_QUOTE_SIGNATURE',
        );
      await expectRefused(
        await show({}, (evidence) => ({ ...evidence, signature: altered(evidence.signature, -1) })),
        'TPM_QUOTE_SIGNATURE',
      );
    });
    it('what the attestation key says that is no quote: TPM_MALFORMED', async () => {
      await expectRefused(
        await show({}, async (evidence, client) => {
          const extra = createHash('sha256').update(client.proof('any')).digest('hex');
          await makeAk();
          await tpm.tool(
            'tpm2_gettime',
            '-c',
            'ak.ctx',
            '-q',
            extra,
            '-g',
            'sha256',
            '-o',
            'time.sig',
            '--attestation',
            'time.att',
          );
          const [quote, signature] = await Promise.all(
            ['time.att', 'time.sig'].map((name) => readFile(join(tpm.dir, name))),
          );
          return { ...evidence, quote: quote!.toString('base64'), signature: signature!.toString('base64') };
        }),
        'TPM_MALFORMED',
      );
    });
    it('keys that are not of their kind, before it wraps anything for them', async () => {
      using client = await broker.connect();
      const challenge = await client.challenge();
      const { ek, ak } = await captured(tpm);
      const ask = (keys: object) => client.send('POST', '/v1/tpm/credential', { challenge, ek, ak, ...keys });
      const cleared = (text: string, bit: number) => {
        const bytes = Buffer.from(text, 'base64');
        bytes.writeUInt32BE((bytes.readUInt32BE(4) & ~(1 << bit)) >>> 0, 4);
        return bytes.toString('base64');
      };
      for (const bit of [1, 4, 5, 16, 18])
        await expectRefused(await ask({ ak: cleared(ak, bit) }), 'TPM_AK_KIND');
      for (const bit of [1, 4, 5, 16, 17])
        await expectRefused(await ask({ ek: cleared(ek, bit) }), 'TPM_EK_KIND');
      await expectRefused(await ask({ ak: ek }), 'TPM_AK_KIND');
      await expectRefused(await ask({ ek: ak }), 'TPM_EK_KIND');
      await expectRefused(await ask({ ek: 'AAAA' }), 'TPM_MALFORMED');
      await expectRefused(await ask({ ak: `${ak}AAAA`.replace(/=/g, '') }), 'TPM_MALFORMED');
    });
    it('a key that would sign anything, and says that it would not', async () => {
      // whoever sets the bit in what is shown changes the name, and no TPM holds a key of that name
      const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign';
      await tpm.tool(
        'tpm2_createprimary',
        '-Q',
        '-C',
        'e',
        '-G',
        'ecc256:ecdsa-sha256:null',
        '-a',
        attributes,
        '-c',
        'loose.ctx',
      );
      await tpm.tool('tpm2_readpublic', '-Q', '-c', 'loose.ctx', '-o', 'loose.pub');
      await tpm.tool('tpm2_flushcontext', '-t');
      const shown = (await readFile(join(tpm.dir, 'loose.pub'))).subarray(2);
      shown.writeUInt32BE(shown.readUInt32BE(4) | (1 << 16), 4);
      const secret = randomBytes(32);
      const { blob, secret: encrypted } = makeCredential(
        await publicOf('rsa'),
        readPublic(shown).nameOfKey,
        secret,
      );
      await writeFile(join(tpm.dir, 'cred'), credentialFile(blob, encrypted));
      await assert.rejects(openWithTools('loose.ctx'));
    });
    it('the certificate of another endorsement key: TPM_EK_CERTIFICATE', async () => {
      const { ek_certificate } = await captured(tpm, 'ecc');
      await expectRefused(
        await show({}, (evidence) => ({ ...evidence, ek_certificate: ek_certificate! })),
        'TPM_EK_CERTIFICATE',
      );
    });
    it('a certificate that was altered: DEVICE_SIGNATURE', async () => {
      await expectRefused(
        await show({}, (evidence) => ({
          ...evidence,
          ek_certificate: altered(evidence.ek_certificate!, -1),
        })),
        'DEVICE_SIGNATURE',
      );
    });
  });

  /** Evidence for a challenge of a connection that is gone. */
  const captured = async (of: Swtpm, kind: Kind = 'rsa') => {
    using client = await broker.connect();
    return await evidenceOf(client, await client.challenge(), { of, kind });
  };
  const makeAk = async () => {
    const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign';
    await tpm.tool(
      'tpm2_createprimary',
      '-Q',
      '-C',
      'e',
      '-G',
      'ecc256:ecdsa-sha256:null',
      '-a',
      attributes,
      '-c',
      'ak.ctx',
    );
    await tpm.tool('tpm2_flushcontext', '-t');
  };
  /** The form in which tpm2-tools keep a credential. */
  const credentialFile = (blob: Buffer, secret: Buffer) => {
    const head = Buffer.from('badcc0de00000001', 'hex');
    const sized = (bytes: Buffer) => Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
    return Buffer.concat([head, sized(blob), sized(secret)]);
  };
  /** What tpm2-tools have the TPM open of the file `cred`. */
  const openWithTools = async (ak: string, ek = '0x81010001') => {
    await tpm.tool('tpm2_startauthsession', '--policy-session', '-S', 'session.ctx');
    try {
      await tpm.tool('tpm2_policysecret', '-Q', '-S', 'session.ctx', '-c', 'e');
      await tpm.tool(
        'tpm2_activatecredential',
        '-Q',
        '-c',
        ak,
        '-C',
        ek,
        '-i',
        'cred',
        '-o',
        'opened',
        '-P',
        'session:session.ctx',
      );
    } finally {
      await tpm.tool('tpm2_flushcontext', 'session.ctx');
      await tpm.tool('tpm2_flushcontext', '-t');
    }
    return await readFile(join(tpm.dir, 'opened'));
  };

  describe('agrees with tpm2-tools', () => {
    it('on the name of the attestation key, and on what a credential opens to', async () => {
      const { ak } = await captured(tpm);
      const { nameOfKey, spkiDer } = readPublic(Buffer.from(ak, 'base64'));
      await makeAk();
      await tpm.tool('tpm2_readpublic', '-Q', '-c', 'ak.ctx', '-n', 'ak.name', '-f', 'der', '-o', 'ak.der');
      await tpm.tool('tpm2_flushcontext', '-t');
      assert.deepEqual(await readFile(join(tpm.dir, 'ak.name')), nameOfKey);
      assert.deepEqual(await readFile(join(tpm.dir, 'ak.der')), spkiDer);
      for (const kind of KINDS) {
        await tpm.tool('tpm2_createek', '-Q', '-G', kind, '-c', 'ek.ctx', '-f', 'pem', '-u', 'ek.pem');
        await tpm.tool('tpm2_flushcontext', '-t');
        const spki = createPublicKey(await readFile(join(tpm.dir, 'ek.pem'))).export({
          type: 'spki',
          format: 'der',
        });
        assert.equal(hashName(spki), eks[kind]);
        const secret = randomBytes(32);
        const { blob, secret: encrypted } = makeCredential(await publicOf(kind), nameOfKey, secret);
        await writeFile(join(tpm.dir, 'cred'), credentialFile(blob, encrypted));
        assert.deepEqual(await openWithTools('ak.ctx', 'ek.ctx'), secret);
      }
    });
    it('on what is a quote', async () => {
      using client = await broker.connect();
      const challenge = await client.challenge();
      const { ak, quote, signature } = await evidenceOf(client, challenge);
      const pem = readPublic(Buffer.from(ak, 'base64')).key.export({ type: 'spki', format: 'pem' });
      await writeFile(join(tpm.dir, 'ak.pem'), pem);
      await writeFile(join(tpm.dir, 'q.msg'), Buffer.from(quote, 'base64'));
      await writeFile(join(tpm.dir, 'q.sig'), Buffer.from(signature, 'base64'));
      const extra = createHash('sha256').update(client.proof(challenge)).digest('hex');
      await tpm.tool(
        'tpm2_checkquote',
        '-Q',
        '-u',
        'ak.pem',
        '-m',
        'q.msg',
        '-s',
        'q.sig',
        '-g',
        'sha256',
        '-q',
        extra,
      );
      await assert.rejects(
        tpm.tool(
          'tpm2_checkquote',
          '-Q',
          '-u',
          'ak.pem',
          '-m',
          'q.msg',
          '-s',
          'q.sig',
          '-g',
          'sha256',
          '-q',
          '00',
        ),
      );
    });
  });
});
