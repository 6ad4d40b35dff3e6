import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { Host } from '../../harness/hosts/host.ts';
import { openYard, type Yard } from '../../harness/hosts/yard.ts';
import { type Built, buildPackages, needPackageParts, outputOf } from '../packaging/linux/built.ts';
import { needHosts } from './site.ts';

/** Debian's rpm, on a file system whose dependencies it knows nothing of; the scripts run in it. */
describe('the package as RPM', function () {
  this.timeout(180_000);
  let yard: Yard;
  let host: Host;
  let built: Built;

  before(async function () {
    needPackageParts(this);
    needHosts(this);
    built = await buildPackages(['--architecture', 'amd64', '--format', 'rpm']);
    yard = await openYard();
    host = await yard.startHost('rpm');
  });
  after(async () => {
    await yard?.[Symbol.asyncDispose]();
    built?.[Symbol.dispose]();
  });

  const rpm = (...words: string[]) => outputOf('rpm', '--root', host.root, '--nodeps', ...words);
  const settings = () => join(host.root, 'etc/signet/sidecar.env');

  it('installs, with its users, and runs', async () => {
    rpm('--install', built.file('x86_64.rpm'));
    assert.match(await host.run('getent passwd signet signet-broker'), /^signet:.*\nsignet-broker:/);
    assert.match(await host.run('signet --help'), /workload identity/);
    await host.run('systemctl daemon-reload; systemctl cat signet-sidecar.service');
  });

  it('keeps settings that were changed, over the same version again', () => {
    writeFileSync(settings(), "SIGNET_TRUST_DOMAIN='example.org'\n");
    rpm('--upgrade', '--force', built.file('x86_64.rpm'));
    assert.equal(readFileSync(settings(), 'utf8'), "SIGNET_TRUST_DOMAIN='example.org'\n");
  });

  it('goes, and keeps what was changed under another name', async () => {
    rpm('--erase', 'signet');
    assert.ok(!existsSync(join(host.root, 'opt/signet')));
    assert.ok(!existsSync(settings()));
    assert.ok(existsSync(`${settings()}.rpmsave`));
    assert.notEqual((await host.try('systemctl cat signet-sidecar.service')).code, 0);
  });
});
