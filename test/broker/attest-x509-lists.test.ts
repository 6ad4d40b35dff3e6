import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { TestCa, TestCertificate } from '../support/ca.ts';
import { certifyDevice, createDeviceCa, keyName, makeCrl } from '../support/device-ca.ts';
import { hostEntry, openSite, type Site, type TestBroker, until } from './site.ts';

const HOUR = 3_600_000;

describe('revocation lists that come over a line on which somebody sits', function () {
  this.timeout(120_000);
  let site: Site;
  let broker: TestBroker;
  let own: TestCa;
  /** Of another tenant. */
  let other: TestCa;
  let device: TestCertificate;
  let list: Uint8Array | string = '';
  const web = createServer((_request, response) => response.end(list));

  before(async () => {
    site = await openSite();
    [own, other] = await Promise.all([createDeviceCa('own'), createDeviceCa('other')]);
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const { port } = web.address() as { port: number };
    const manufacturers = await Promise.all(
      [own, other].map(async (ca, i) => {
        const certificates = join(site.dir, `ca-${i}.pem`);
        await writeFile(certificates, ca.pem);
        return ca === own
          ? { tenants: ['acme/shop'], certificates, crls: [`http://127.0.0.1:${port}/own.crl`] }
          : { tenants: ['globex'], certificates, revocation: 'none' };
      }),
    );
    const file = join(site.dir, 'devices.json');
    await writeFile(file, JSON.stringify({ crl_refresh_seconds: 1, manufacturers }));
    list = await makeCrl(own, { thisUpdate: new Date(Date.now() - HOUR) });
    broker = await site.startBroker({ SIGNET_DEVICE_CAS: file });
    device = await certifyDevice(own, 'door', { serial: '0c01' });
    const entry = hostEntry('door', { 'x509:ca': keyName(own), 'x509:cn': 'door' });
    assert.equal((await broker.call('POST', '/v1/entries', entry, site.registrar.shop)).status, 201);
  });
  after(async () => {
    web.close();
    await site?.[Symbol.asyncDispose]();
  });

  const show = async () => {
    using client = await broker.connect();
    const { der, privateKey } = device;
    return await client.attest('x509', (proof) => ({
      chain: [Buffer.from(der).toString('base64')],
      signature: sign('sha256', proof, privateKey).toString('base64'),
    }));
  };
  const told = (event: string) => broker.logs().filter((each) => each['event'] === event).length;
  /** Serves it, and waits until the broker has said this of it. */
  const serve = async (next: Uint8Array | string, event: string) => {
    const before = told(event);
    list = next;
    await until(() => told(event) > before);
  };

  it('does not forget who was revoked when it is handed the list of another authority in between', async () => {
    const old = list;
    assert.equal((await show()).status, 201);
    await serve(await makeCrl(own, { serials: ['0c01'], thisUpdate: new Date(Date.now() - 60_000) }), 'crl');
    assert.equal((await show()).status, 403);
    const [thisUpdate, nextUpdate] = [new Date(Date.now() + HOUR), new Date(Date.now() + 2 * HOUR)];
    await serve(await makeCrl(other, { thisUpdate, nextUpdate }), 'crl');
    assert.equal((await show()).status, 403);
    await serve(old, 'crl_older');
    assert.equal((await show()).status, 403, 'revoked before, and so it stays');
  });
  it('is not stopped by a text that is read slowly', async () => {
    await serve(`-----BEGIN X509 CRL-----${'\n'.repeat(20_000)}`, 'crl_unreadable');
    await serve(
      `-----BEGIN X509 CRL-----${'A'.repeat(200_000)}${' '.repeat(200_000)}-----END`,
      'crl_unreadable',
    );
    assert.equal((await broker.call('GET', '/healthz')).status, 200);
  });
  it('takes the same list as PEM', async () => {
    device = await certifyDevice(own, 'door', { serial: '0c02' });
    const base64 = Buffer.from(await makeCrl(own, { serials: ['0c02'], thisUpdate: new Date() })).toString(
      'base64',
    );
    await serve(`-----BEGIN X509 CRL-----\n${base64}\n-----END X509 CRL-----\n`, 'crl');
    assert.equal((await show()).status, 403);
  });
});
