import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import type { LoggingProcess } from '../../harness/processes.ts';
import { qemuBinary } from '../../setup/qemu.mjs';
import { createWorld, type Registered, type World } from '../e2e/world.ts';
import { type Built, buildPackages, needPackageParts, outputOf } from '../packaging/linux/built.ts';
import { certifyDevice, createDeviceCa, deviceUri, keyName } from '../support/device-ca.ts';
import { needSwtpm, startSwtpm } from '../support/swtpm.ts';

const script = fileURLToPath(new URL('in-arm64.mjs', import.meta.url));
/** QEMU translates: all is correct and nothing is quick. */
const PATIENCE_MS = 120_000;

describe('the sidecar on a device with arm64', function () {
  this.timeout(4 * PATIENCE_MS);
  let built: Built;
  /** Where the package lies as installed. */
  let root: string;
  let world: World;
  let device: Registered;
  let sidecar: LoggingProcess;
  const app = createServer((request, response) => response.end(`${request.headers['x-signet-caller']}`));

  before(async function () {
    needPackageParts(this);
    if (!qemuBinary() && process.env['CI'] !== 'true') this.skip();
    built = await buildPackages(['--architecture', 'arm64', '--format', 'deb', '--compression', 'zstd']);
    root = join(built.out, 'root');
    outputOf('dpkg-deb', '-x', built.file('_arm64.deb'), root);
    world = await createWorld();
    const ca = await createDeviceCa('acme');
    const issuing = await ca.intermediate({ subject: 'CN=acme issuing', sans: null });
    const uri = deviceUri({ type: 'sensor', version: '1', id: 's-1' });
    const certificate = await certifyDevice(issuing, 's-1', { uri });
    const files = {
      'ca.pem': ca.pem,
      'device.key': certificate.privateKeyPem,
      'device.pem': certificate.pem + issuing.pem,
      'devices.json': JSON.stringify({
        manufacturers: [
          { tenants: ['acme/shop'], certificates: join(world.dir, 'ca.pem'), revocation: 'none' },
        ],
      }),
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(world.dir, name), content);
    await world.broker.stop();
    await world.startBroker({ SIGNET_DEVICE_CAS: join(world.dir, 'devices.json'), SIGNET_TPM_CAS: 'none' });
    device = await world.register('sensor', { match: { 'x509:ca': keyName(ca), 'x509:ins': 's-1' } });
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
  });
  after(async () => {
    app.close();
    app.closeAllConnections();
    await world?.[Symbol.asyncDispose]();
    built?.[Symbol.dispose]();
  });

  it('attests by the certificate of its maker, and begins to serve', async () => {
    const caller = await world.register('web');
    const policy = join(world.dir, 'policy.json');
    const when = { caller: { is: caller.id } };
    const rule = {
      name: 'web',
      level: 'application',
      target: device.id,
      effect: 'allow',
      mode: 'enforce',
      when,
    };
    await writeFile(policy, JSON.stringify([rule]));
    sidecar = await world.sidecar(
      device,
      {
        SIGNET_ATTEST: `x509:${join(world.dir, 'device.key')},${join(world.dir, 'device.pem')}`,
        SIGNET_MODE: 'service',
        SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${(app.address() as AddressInfo).port}`,
        SIGNET_POLICY_FILE: policy,
      },
      { script, args: [root, 'sidecar'] },
    );
    const { spiffe_id: id } = await sidecar.waitForEvent('svid', undefined, PATIENCE_MS);
    assert.equal(id, device.id);
    await sidecar.waitForEvent('ready', undefined, PATIENCE_MS);
  });
  it('passes on a request of another service, and says whose it is', async () => {
    await using web = await world.sidecar(
      { name: 'web', id: 'spiffe://example.org/ns/shop/sa/web', hostKey: join(world.dir, 'web_host_key') },
      {
        SIGNET_MODE: 'service',
        SIGNET_OUTBOUND: '127.0.0.1:0',
        SIGNET_UPSTREAMS: `sensor=${await sidecar.addressOf('inbound')}#${device.id}`,
      },
    );
    await web.waitForEvent('ready');
    const [host, port] = (await web.addressOf('outbound')).split(':');
    const request = get({ host, port, path: '/', headers: { host: 'sensor' } });
    const [response] = await once(request, 'response');
    const body = await text(response);
    assert.deepEqual([response.statusCode, body], [200, 'spiffe://example.org/ns/shop/sa/web']);
  });
  it('renews with a new key, by the same certificate', async () => {
    const renewed = sidecar.nextEvent('svid', PATIENCE_MS);
    sidecar.send('SIGHUP');
    assert.equal((await renewed)['spiffe_id'], device.id);
  });
  it('tells what memory it takes, QEMU included', () => {
    const status = readFileSync(`/proc/${sidecar.pid}/status`, 'utf8');
    const [, rss = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
    console.log(`      arm64 sidecar under QEMU: ${Math.round(Number(rss) / 1024)} MB resident`);
    assert.ok(Number(rss) > 0);
  });
  it('attests by a TPM as well', async function () {
    needSwtpm(this);
    await using tpm = await startSwtpm();
    await tpm.tool('tpm2_readpublic', '-Q', '-c', '0x81010001', '-f', 'der', '-o', 'ek.der');
    const ek = createHash('sha256')
      .update(await readFile(join(tpm.dir, 'ek.der')))
      .digest('hex');
    const machine = await world.register('machine', { match: { 'tpm:ek': `SHA256:${ek}` } });
    const options = { script, args: [root, 'sidecar'] };
    await using agent = await world.sidecar(machine, { SIGNET_ATTEST: `tpm:unix:${tpm.socket}` }, options);
    assert.equal((await agent.waitForEvent('svid', undefined, PATIENCE_MS))['spiffe_id'], machine.id);
    assert.equal((await agent.stop(PATIENCE_MS)).code, 0, agent.stderr());
  });
  it('ends when it is told to', async () => {
    assert.deepEqual((await sidecar.stop(PATIENCE_MS)).code, 0, sidecar.stderr());
  });
});
