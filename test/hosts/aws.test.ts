import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { startChild } from '../../harness/child.ts';
import { startProcess } from '../../harness/processes.ts';
import { hostEntry, openSite, type Site, type TestBroker } from '../broker/site.ts';
import { type FakeMetadataService, startFakeMetadataService } from '../fakes/fake-metadata-service.ts';
import { identityDocument, type TestAws, testAws } from '../support/aws.ts';
import { type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(ROOT, 'docs/aws.md'), 'utf8');
const codes = await readFile(join(ROOT, 'broker/attestors/attestor.ts'), 'utf8');
const PATIENCE = 60_000;

describe('a sidecar on an EC2 instance', function () {
  this.timeout(120_000);
  let site: Site;
  let broker: TestBroker;
  let aws: TestAws;
  let ssh: SshKeygen;
  let service: FakeMetadataService;
  let sign: (more: object) => Promise<string>;
  /** Host keys, by file. */
  let host: string;
  let other: string;

  before(async () => {
    [site, aws, ssh] = await Promise.all([openSite(), testAws(), sshKeygen()]);
    [host, other] = [(await ssh.newKey('host')).file, (await ssh.newKey('other')).file];
    const signer = await aws.signer('eu-central-1');
    sign = async (more) => await signer.sign(identityDocument(more));
    service = await startFakeMetadataService('');
    broker = await site.startBroker({ SIGNET_AWS_CERTIFICATES: `eu-central-1=${signer.certificate}` });
    await writeFile(join(site.dir, 'root.pem'), site.ca);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await service?.[Symbol.asyncDispose]();
    await aws?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });
  const told = () => ({
    SIGNET_TRUST_DOMAIN: 'example.org',
    SIGNET_BROKER_URL: `https://${broker.address}`,
    SIGNET_BROKER_CA: join(site.dir, 'root.pem'),
  });
  const startSidecar = (keyFile: string, at = service) =>
    startProcess({
      args: ['sidecar'],
      env: {
        ...told(),
        SIGNET_ATTEST: `aws:${keyFile}@${at.url.origin}`,
        SIGNET_MODE: 'agent',
        SIGNET_AUDIT: join(site.dir, 'audit'),
      },
    });
  const register = async (name: string, instance: string) => {
    const match = { 'aws:account': '123456789012', 'aws:instance': instance };
    const reply = await broker.call('POST', '/v1/entries', hostEntry(name, match), site.registrar.shop);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
  };
  /** What it is told, and the broker's reason for it. */
  const refusalOf = async (keyFile: string, at = service) => {
    await using sidecar = await startSidecar(keyFile, at);
    const failed = await sidecar.waitForEvent('renewal_failed', undefined, PATIENCE);
    const line = await broker.waitForEvent(
      'refused',
      (each) => each['correlation_id'] === failed['correlation_id'],
    );
    return [failed['code'], failed['reason'], String(line['reason'] ?? '').replace(/:.*/s, '')];
  };

  it('gets its SVID, renews it, and has its identity again once the machine has started anew', async () => {
    await register('web', 'i-0000000000000000a');
    service.document = await sign({ instanceId: 'i-0000000000000000a' });
    {
      await using sidecar = await startSidecar(host);
      const { spiffe_id: id } = await sidecar.waitForEvent('svid', undefined, PATIENCE);
      assert.equal(id, 'spiffe://example.org/ns/shop/sa/web');
      const renewed = sidecar.nextEvent('svid', PATIENCE);
      sidecar.send('SIGHUP');
      await renewed;
    }
    // after a stop and a start: the network comes late, and AWS signs another time of launch and address
    service.restart();
    service.instead = (_, response) => void response.writeHead(503).end() === undefined;
    service.document = await sign({
      instanceId: 'i-0000000000000000a',
      pendingTime: '2026-02-01T08:00:00Z',
      privateIp: '10.158.112.99',
    });
    await using sidecar = await startSidecar(host);
    const failed = await sidecar.waitForEvent('renewal_failed', undefined, PATIENCE);
    assert.equal(failed['code'], 'EVIDENCE_UNAVAILABLE');
    service.instead = undefined;
    const { spiffe_id: id } = await sidecar.waitForEvent('svid', undefined, PATIENCE);
    assert.equal(id, 'spiffe://example.org/ns/shop/sa/web');
    const instances = broker.logs().filter(({ event }) => event === 'granted');
    assert.equal(new Set(instances.map((each) => each['instance'])).size, 1, 'one instance all the time');
    assert.equal(await broker.metric('signet_broker_device_moved_alarms_total'), 0);
  });
  it('is refused with the stolen document and a host key of its own, and raises the alarm', async () => {
    await register('db', 'i-0000000000000000b');
    service.document = await sign({ instanceId: 'i-0000000000000000b' });
    await using owner = await startSidecar(host);
    await owner.waitForEvent('svid', undefined, PATIENCE);
    await using elsewhere = await startFakeMetadataService(service.document);
    const refusal = await refusalOf(other, elsewhere);
    assert.deepEqual(refusal, ['BROKER_REFUSED', 'attestation_refused', 'DEVICE_MOVED']);
    const alarm = await broker.waitForEvent('device_moved_alarm');
    assert.equal(alarm['spiffe_id'], 'spiffe://example.org/ns/shop/sa/db');
    const renewed = owner.nextEvent('svid', PATIENCE);
    owner.send('SIGHUP');
    await renewed;
  });
  it('is refused as another instance, as one of another account, and by what another authority signed', async () => {
    service.document = await sign({ instanceId: 'i-0000000000000000c' });
    assert.deepEqual(await refusalOf(host), ['BROKER_REFUSED', 'no_entry', '']);
    service.document = await sign({ instanceId: 'i-0000000000000000a', accountId: '210987654321' });
    assert.deepEqual(await refusalOf(host), ['BROKER_REFUSED', 'no_entry', '']);
    const stranger = await aws.signer('eu-central-1');
    service.document = await stranger.sign(identityDocument({ instanceId: 'i-0000000000000000a' }));
    assert.deepEqual(await refusalOf(host), ['BROKER_REFUSED', 'attestation_refused', 'AWS_UNTRUSTED']);
    service.document = Buffer.from(identityDocument()).toString('base64');
    assert.deepEqual(await refusalOf(host), ['BROKER_REFUSED', 'attestation_refused', 'AWS_MALFORMED']);
  });

  describe('by docs/aws.md', () => {
    const block = (session: string) => {
      const found = [...text.matchAll(/^```sh (\w+)\n([\s\S]*?)^```$/gm)].find(
        ([, name]) => name === session,
      );
      return found![2]!;
    };
    const play = async (session: string) => {
      const bin = join(site.dir, 'bin');
      await mkdir(bin, { recursive: true });
      const signet = `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'bin/signet.mjs')}" "$@"\n`;
      await writeFile(join(bin, 'signet'), signet);
      await chmod(join(bin, 'signet'), 0o755);
      await writeFile(join(site.dir, 'doc.sh'), block(session));
      const shell = await startChild('bash', ['-euo', 'pipefail', 'doc.sh'], {
        cwd: site.dir,
        env: {
          ...told(),
          PATH: `${bin}:${process.env['PATH']}`,
          HOME: site.dir,
          HOST_KEY: `${host}@${service.url.origin}`,
          VAULT_ADDR: site.vault.address,
          VAULT_TOKEN: site.registrar.shop,
        },
      });
      shell.stdin.end();
      const { code } = await shell.ended;
      assert.equal(code, 0, shell.stdout() + shell.stderr());
      return shell.stdout();
    };
    it('gets its ID', async () => {
      assert.equal(text.match(/^```sh/gm)?.length, 2);
      await play('registrar');
      service.document = await sign({});
      assert.match(await play('instance'), /spiffe:\/\/example\.org\/ns\/shop\/sa\/web-1 by /);
    });
    it('is told what every reason means, and no other', () => {
      const [described, there] = [text.match(/`AWS_[A-Z]+`/g), codes.match(/'AWS_[A-Z]+'/g)].map((found) =>
        [...new Set(found?.map((code) => code.slice(1, -1)))].sort(),
      );
      assert.deepEqual(described, there);
    });
  });
});
