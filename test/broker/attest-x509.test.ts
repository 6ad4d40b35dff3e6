import assert from 'node:assert/strict';
import { createHash, sign, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { type Reply, spendGrant } from '../support/attest-client.ts';
import type { CertificateOptions, TestCa, TestCertificate } from '../support/ca.ts';
import { certifyDevice, createDeviceCa, deviceUri, keyName, makeCrl } from '../support/device-ca.ts';
import { hostEntry, openSite, type Site, type TestBroker, until } from './site.ts';

const hashOf = (bytes: Uint8Array) => `SHA256:${createHash('sha256').update(bytes).digest('hex')}`;

type Device = TestCertificate & { readonly above?: readonly TestCa[] };

describe("attestation of a device by its manufacturer's certificate", function () {
  this.timeout(120_000);
  let site: Site;
  let broker: TestBroker;
  /** acme's own, without revocation. */
  let acme: TestCa;
  /** For acme, with a list in a file. */
  let listed: TestCa;
  /** For acme, with a list at a URL. */
  let served: TestCa;
  let globex: TestCa;
  let list: Uint8Array | null = null;
  let crlFile: string;
  const web = createServer((_request, response) => {
    response.statusCode = list === null ? 404 : 200;
    response.end(list ?? '');
  });

  before(async () => {
    site = await openSite();
    [acme, listed, served, globex] = (await Promise.all(
      ['acme', 'listed', 'served', 'globex'].map((name) => createDeviceCa(name)),
    )) as [TestCa, TestCa, TestCa, TestCa];
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const { port } = web.address() as { port: number };
    crlFile = join(site.dir, 'listed.crl');
    const pem = async (name: string, ca: TestCa) => {
      await writeFile(join(site.dir, `${name}.pem`), ca.pem);
      return join(site.dir, `${name}.pem`);
    };
    const config = {
      crl_refresh_seconds: 1,
      manufacturers: [
        { tenants: ['acme'], certificates: await pem('acme', acme), revocation: 'none' },
        { tenants: ['acme/shop'], certificates: await pem('listed', listed), crls: [crlFile] },
        {
          tenants: ['acme/shop'],
          certificates: await pem('served', served),
          crls: [`http://127.0.0.1:${port}/devices.crl`],
          claims: { 'device-type': 'OU', ins: 'serialNumber' },
        },
        { tenants: ['globex'], certificates: await pem('globex', globex), revocation: 'none' },
      ],
    };
    const file = join(site.dir, 'devices.json');
    await writeFile(file, JSON.stringify(config));
    broker = await site.startBroker({ SIGNET_DEVICE_CAS: file });
  });
  after(async () => {
    web.close();
    await site?.[Symbol.asyncDispose]();
  });

  const register = async (entry: object, status = 201, token = site.registrar.shop) => {
    const reply = await broker.call('POST', '/v1/entries', entry, token);
    assert.equal(reply.status, status, JSON.stringify(reply.body));
    return reply;
  };
  const remove = async (name: string) =>
    await broker.call('DELETE', `/v1/entries/acme.shop/${name}`, undefined, site.registrar.shop);
  const evidenceOf = ({ der, privateKey, above = [] }: Device, proof: Uint8Array) => ({
    chain: [der, ...above.map((each) => each.der)].map((each) => Buffer.from(each).toString('base64')),
    signature: sign('sha256', proof, privateKey).toString('base64'),
  });
  const show = async (device: Device, at = broker) => {
    using client = await at.connect();
    return await client.attest('x509', (proof) => evidenceOf(device, proof));
  };
  /** What the broker's log says of an attestation. */
  const reasonOf = async ({ body }: Reply, at = broker) => {
    const line = () =>
      at.logs().find((each) => each['correlation_id'] === body.correlation_id && each['outcome']);
    await until(() => line() !== undefined);
    return String(line()!['reason'] ?? '').replace(/:.*/s, '');
  };
  const expectRefused = async (reply: Reply, reason: string, code = 'attestation_refused', at = broker) => {
    assert.deepEqual([reply.status, reply.body.code], [403, code], JSON.stringify(reply.body));
    assert.equal(await reasonOf(reply, at), reason);
  };
  const ca = keyName;

  describe('of a fleet', () => {
    const uri = (id: string) => deviceUri({ type: 'camera', version: '2', id });
    before(async () => {
      await register({
        ...hostEntry('cameras', { 'x509:ca': ca(acme), 'x509:device-type': 'camera' }),
        spiffe_id: 'spiffe://example.org/ns/shop/device-type/camera/ver/{x509:ver}/ins/{x509:ins}',
      });
    });
    after(() => remove('cameras'));

    it('gives each device the ID of its certificate, and Vault signs that', async () => {
      const issuing = await acme.intermediate({ subject: 'CN=acme issuing', sans: null });
      const device = { ...(await certifyDevice(issuing, 'cam-1', { uri: uri('7f3c') })), above: [issuing] };
      const reply = await show(device);
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
      const id = 'spiffe://example.org/ns/shop/device-type/camera/ver/2/ins/7f3c';
      assert.equal(reply.body.spiffe_id, id);
      const svid = await spendGrant(site.vault.request, reply.body);
      assert.equal(new X509Certificate(svid.cert).subjectAltName, `URI:${id}`);
      assert.equal((await show(device)).status, 201, 'and again, with nothing left behind');
    });
    it('tells its selectors', async () => {
      const device = await certifyDevice(acme, 'cam-2', { uri: uri('cam-2'), serial: '1f00aa' });
      const { body } = await show(device);
      const line = broker
        .logs()
        .find((each) => each['correlation_id'] === body.correlation_id && each['selectors']);
      assert.deepEqual(line?.['selectors'], {
        'x509:ca': [ca(acme)],
        'x509:serial': ['1f00aa'],
        'x509:fingerprint': [hashOf(device.der)],
        'x509:cn': ['cam-2'],
        'x509:device-type': ['camera'],
        'x509:ver': ['2'],
        'x509:ins': ['cam-2'],
      });
    });
    it('refuses another key for a device that was here before: DEVICE_MOVED', async () => {
      const first = await certifyDevice(acme, 'cam-3', { uri: uri('cam-3') });
      const { body } = await show(first);
      assert.equal(body.spiffe_id, 'spiffe://example.org/ns/shop/device-type/camera/ver/2/ins/cam-3');
      const second = await certifyDevice(acme, 'cam-3', { uri: uri('cam-3') });
      await expectRefused(await show(second), 'DEVICE_MOVED');
      const alarm = await broker.waitForEvent('device_moved_alarm');
      assert.deepEqual([alarm['instance'], alarm['entry']], [body.instance.id, 'acme/shop/cameras']);
      assert.equal(await broker.metric('signet_broker_device_moved_alarms_total'), 1);
      const renewed = await certifyDevice(acme, 'cam-3', { uri: uri('cam-3'), keys: first.keys });
      assert.equal((await show(renewed)).status, 201, 'a new certificate for the same key');
      const other = await site.startBroker({ SIGNET_DEVICE_CAS: join(site.dir, 'devices.json') });
      await expectRefused(await show(second, other), 'DEVICE_MOVED', 'attestation_refused', other);
      const operator = { token: await site.tokenOf('signet-operator') };
      const path = `signet/metadata/instances/${body.instance.id}`;
      assert.equal((await site.vault.request('DELETE', path, undefined, operator)).status, 204);
      // not those that began with a join code
      const joined = await site.vault.request('DELETE', 'signet/metadata/instances/0a', undefined, operator);
      assert.equal(joined.status, 403);
      assert.equal((await show(second)).status, 201, 'once an operator has let go of the first');
    });
    it('refuses a claim that cannot be in an ID', async () => {
      for (const id of ['*', 'a*', 'A', '..']) {
        const reply = await show(await certifyDevice(acme, 'odd', { uri: uri(id) }));
        assert.deepEqual([reply.status, reply.body.code], [403, 'attestation_refused'], id);
      }
    });
    it('refuses a renewal by the SVID alone', async () => {
      const device = await certifyDevice(acme, 'cam-4', { uri: uri('cam-4') });
      const { body } = await show(device);
      const svid = await spendGrant(site.vault.request, body);
      const renew = async (id: string) => {
        using client = await broker.connect({ shown: svid });
        return await client.attest('svid', () => ({
          instance_id: id,
          generation: 1,
          next_key: '0'.repeat(64),
        }));
      };
      assert.equal((await renew(body.instance.id)).body.code, 'malformed');
      // one of that method would be refused by any name
      const id = 'ab'.repeat(16);
      const { data } = (await site.vault.request('GET', `signet/data/instances/${body.instance.id}`)).body
        .data;
      const copy = { data: { ...data, id, next_key: '' }, options: { cas: 0 } };
      await site.vault.request('POST', `signet/data/instances/${id}`, copy);
      const { status, body: refusal } = await renew(id);
      assert.deepEqual([status, refusal.code], [403, 'attestation_refused']);
      assert.equal((await show(device)).status, 201, 'and locks nothing');
    });
    it('refuses all once the entry is disabled', async () => {
      const device = await certifyDevice(acme, 'cam-5', { uri: uri('cam-5') });
      const state = (verb: string) =>
        broker.call('POST', `/v1/entries/acme.shop/cameras/${verb}`, {}, site.registrar.shop);
      assert.equal((await state('disable')).status, 200);
      const { status, body } = await show(device);
      assert.deepEqual([status, body.code], [403, 'entry_disabled']);
      assert.equal((await state('enable')).status, 200);
      assert.equal((await show(device)).status, 201);
    });
    it('knows no device of another kind', async () => {
      const toaster = deviceUri({ type: 'toaster', version: '2', id: 't-1' });
      const { status, body } = await show(await certifyDevice(acme, 't-1', { uri: toaster }));
      assert.deepEqual([status, body.code], [403, 'no_entry']);
    });
  });

  describe('refuses', () => {
    const past = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const cases: [string, CertificateOptions, string][] = [
      ['a certificate that has expired', past, 'DEVICE_EXPIRED'],
      ['one that is an authority', { ca: true }, 'DEVICE_IS_CA'],
      ['one for servers', { extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] }, 'DEVICE_PURPOSE'],
    ];
    for (const [what, options, code] of cases) {
      it(`${what}: ${code}`, async () => {
        await expectRefused(await show(await certifyDevice(acme, 'x', options)), code);
      });
    }
    it('an authority that nobody named: DEVICE_CA_UNKNOWN', async () => {
      const stranger = await createDeviceCa('acme-like');
      await expectRefused(await show(await certifyDevice(stranger, 'x')), 'DEVICE_CA_UNKNOWN');
    });
    it('the signature of another key, or over something else: DEVICE_PROOF', async () => {
      const [device, thief] = [await certifyDevice(acme, 'x'), await certifyDevice(acme, 'y')];
      using client = await broker.connect();
      const forged = await client.attest('x509', (proof) => ({
        ...evidenceOf(device, proof),
        signature: sign('sha256', proof, thief.privateKey).toString('base64'),
      }));
      await expectRefused(forged, 'DEVICE_PROOF');
      const other = await client.attest('x509', (proof) => evidenceOf(device, Buffer.concat([proof, proof])));
      await expectRefused(other, 'DEVICE_PROOF');
    });
    it('a proof captured on another connection: DEVICE_PROOF', async () => {
      const device = await certifyDevice(acme, 'x');
      using owner = await broker.connect();
      using thief = await broker.connect();
      const challenge = await thief.challenge();
      const evidence = evidenceOf(device, owner.proof(challenge));
      await expectRefused(
        await thief.send('POST', '/v1/attest', { method: 'x509', challenge, evidence }),
        'DEVICE_PROOF',
      );
    });
    it('a proof that was used before', async () => {
      const device = await certifyDevice(acme, 'x');
      using client = await broker.connect();
      const challenge = await client.challenge();
      const body = { method: 'x509', challenge, evidence: evidenceOf(device, client.proof(challenge)) };
      await client.send('POST', '/v1/attest', body);
      const again = await client.send('POST', '/v1/attest', body);
      assert.equal(again.body.code, 'challenge_invalid');
    });
    it('entries for an authority of another tenant, whoever writes them', async () => {
      const entry = hostEntry('stolen', { 'x509:ca': ca(globex) });
      const { body } = await register(entry, 400);
      assert.match(JSON.stringify(body.errors), /SIGNET_DEVICE_CAS/);
      // written past the broker
      const data = { ...entry, networks: [], federates_with: [], state: 'active' };
      await site.vault.request('POST', 'signet/data/entries/acme.shop/stolen', { data, options: { cas: 0 } });
      const { status, body: refusal } = await show(await certifyDevice(globex, 'x'));
      assert.deepEqual([status, refusal.code], [403, 'no_entry']);
    });
    it('entries that pin no authority, or ask for what no certificate says', async () => {
      await register(hostEntry('loose', { 'x509:cn': 'cam-1' }), 400);
      await register(hostEntry('odd', { 'x509:ca': ca(acme), 'x509:colour': 'red' }), 400);
    });
  });

  describe('where certificates can be revoked', () => {
    let device: Device;
    before(async () => {
      device = await certifyDevice(listed, 'door-1', { serial: '0abc01' });
      await register(hostEntry('doors', { 'x509:ca': ca(listed), 'x509:cn': 'door-1' }));
    });
    const publish = async (options: Parameters<typeof makeCrl>[1], issuer = listed) =>
      await writeFile(crlFile, await makeCrl(issuer, options));

    it('refuses all without a list: CRL_MISSING', async () => {
      await expectRefused(await show(device), 'CRL_MISSING');
    });
    it('gives what no list names, and refuses what one does: DEVICE_REVOKED', async () => {
      await publish({ serials: ['0abc02'] });
      assert.equal((await show(device)).status, 201);
      await publish({ serials: ['0abc02', '0abc01'] });
      await expectRefused(await show(device), 'DEVICE_REVOKED');
    });
    it('refuses by a list that has run out, or never would: CRL_EXPIRED', async () => {
      const [thisUpdate, nextUpdate] = [new Date(Date.now() - 7_200_000), new Date(Date.now() - 1_000)];
      await publish({ thisUpdate, nextUpdate });
      await expectRefused(await show(device), 'CRL_EXPIRED');
      await publish({ nextUpdate: null });
      await expectRefused(await show(device), 'CRL_EXPIRED');
      await publish({
        thisUpdate: new Date(Date.now() + 3_600_000),
        nextUpdate: new Date(Date.now() + 7_200_000),
      });
      await expectRefused(await show(device), 'CRL_EXPIRED');
    });
    it('refuses by a list that another key signed: CRL_UNTRUSTED', async () => {
      await publish({ forgedBy: acme });
      await expectRefused(await show(device), 'CRL_UNTRUSTED');
    });
    it('refuses by a list of another authority, or a broken one: CRL_MISSING', async () => {
      await publish({}, acme);
      await expectRefused(await show(device), 'CRL_MISSING');
      await writeFile(crlFile, 'nothing');
      await expectRefused(await show(device), 'CRL_MISSING');
    });
    it('wants a list of each authority on the way: CRL_MISSING', async () => {
      await publish({});
      const issuing = await listed.intermediate({ subject: 'CN=listed issuing', sans: null });
      const below = { ...(await certifyDevice(issuing, 'door-1')), above: [issuing] };
      await expectRefused(await show(below), 'CRL_MISSING');
    });
    it('fetches a list from its URL until it is there, and again when it changes', async () => {
      const meter = await certifyDevice(served, 'm', {
        subject: 'OU=meter, CN=m, 2.5.4.5=m-1',
        serial: '0b01',
      });
      await register({
        ...hostEntry('meters', { 'x509:ca': ca(served), 'x509:device-type': 'meter' }),
        spiffe_id: 'spiffe://example.org/ns/shop/meter/{x509:ins}',
      });
      await expectRefused(await show(meter), 'CRL_MISSING');
      list = await makeCrl(served);
      await until(async () => (await show(meter)).status === 201);
      assert.equal((await show(meter)).body.spiffe_id, 'spiffe://example.org/ns/shop/meter/m-1');
      const old = list;
      list = await makeCrl(served, { serials: ['0b01'], thisUpdate: new Date() });
      await until(async () => (await show(meter)).status === 403);
      await expectRefused(await show(meter), 'DEVICE_REVOKED');
      // made up by somebody on the way, and newer than any to come
      const far = new Date(Date.now() + 86_400_000);
      list = await makeCrl(served, {
        forgedBy: acme,
        thisUpdate: far,
        nextUpdate: new Date(Date.now() + 172_800_000),
      });
      const forged = await certifyDevice(served, 'm2', {
        subject: 'OU=meter, CN=m2, 2.5.4.5=m-2',
        serial: '0b02',
      });
      const read = () => broker.logs().filter(({ event }) => event === 'crl').length;
      const before = read();
      await until(() => read() > before);
      assert.equal((await show(forged)).status, 201, 'the last good one serves on');
      await expectRefused(await show(meter), 'DEVICE_REVOKED');
      list = await makeCrl(served, { serials: ['0b01', '0b02'], thisUpdate: new Date(Date.now() - 500) });
      await until(async () => (await show(forged)).status === 403);
      await expectRefused(await show(forged), 'DEVICE_REVOKED');
      list = old;
      await until(() => broker.logs().some(({ event }) => event === 'crl_older'));
      await expectRefused(await show(meter), 'DEVICE_REVOKED');
    });
  });
});
