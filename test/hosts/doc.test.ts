import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { type Child, startChild } from '../../harness/child.ts';
import type { Host } from '../../harness/hosts/host.ts';
import { root } from '../../setup/paths.mjs';
import { type Built, buildPackages, needPackageParts } from '../packaging/linux/built.ts';
import { fingerprintOf, needHosts, openSite, type Site, serveOrders, statusOf, until } from './site.ts';

const doc = await readFile(join(root, 'docs/hosts.md'), 'utf8');
const blocks = Array.from(doc.matchAll(/^```sh (host|desk)\n([\s\S]*?)^```$/gm), ([, place, text]) => ({
  place: String(place),
  text: String(text),
}));

describe('docs/hosts.md', function () {
  this.timeout(300_000);
  let site: Site;
  let host: Host;
  const built: Built[] = [];
  const desk: Record<string, string> = {};

  before(async function () {
    needPackageParts(this);
    needHosts(this);
    const only = ['--architecture', 'amd64', '--format', 'deb', '--compression', 'zstd'];
    built.push(await buildPackages(only), await buildPackages([...only, '--version', '0.1.1']));
    site = await openSite();
    host = await site.yard.startHost('web');
    await serveOrders(host);
    for (const each of built) {
      const file = each.file('.deb');
      await copyFile(file, join(host.root, 'root', basename(file)));
    }
    const made = await site.world.vault.request('POST', 'auth/token/create', {
      ...{ policies: ['signet-registrar-acme.shop'], no_default_policy: true, ttl: '1h' },
    });
    const { world } = site;
    const where = { SIGNET_BROKER_URL: world.brokerUrl, SIGNET_BROKER_CA: join(world.dir, 'root.pem') };
    Object.assign(desk, where, {
      SIGNET_TRUST_DOMAIN: 'example.org',
      VAULT_TOKEN: made.body.auth.client_token,
    });
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    for (const each of built) each[Symbol.dispose]();
  });

  /** What a person does between two blocks. */
  const between = async (next: string) => {
    if (next.startsWith('signet entry create --name acme/shop/web-1'))
      desk['FINGERPRINT'] = await fingerprintOf(host);
    if (next.startsWith('signet entry create --name acme/shop/stock'))
      desk['STOCK_FINGERPRINT'] = await fingerprintOf(host, '/etc/signet/stock.key.pub');
    if (!next.startsWith('cat > /etc/signet/sidecar.env')) return;
    const etc = join(host.root, 'etc/signet');
    await copyFile(join(site.world.dir, 'root.pem'), join(etc, 'broker-ca.pem'));
    await writeFile(join(etc, 'vault-ca.pem'), site.world.vault.caCert ?? '');
    await writeFile(join(etc, 'policy.json'), '[]');
  };
  const run = async (place: string, text: string): Promise<string> => {
    if (place === 'host') return host.run(`cd /root; BROKER='${site.world.brokerUrl}'\n${text}`);
    const child: Child = await startChild('sh', ['-eu', '-c', text], {
      env: { ...desk, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` },
    });
    child.stdin.end();
    const { code } = await child.ended;
    assert.equal(code, 0, child.stdout() + child.stderr());
    return child.stdout();
  };

  it('has commands that do what it says', async () => {
    assert.equal(blocks.length, 10);
    for (const { place, text } of blocks) {
      if (text.includes('dpkg --install signet_0.1.1')) {
        assert.ok(JSON.stringify(await statusOf(host)).includes('spiffe://example.org/ns/shop/sa/web-1'));
        const stock = JSON.stringify(await statusOf(host, 'signet-sidecar-stock'));
        assert.ok(stock.includes('spiffe://example.org/ns/shop/sa/stock'));
      }
      await between(text);
      await run(place, text);
      if (text.includes('dpkg --install signet_0.1.1'))
        await until(
          async () => (await host.try('systemctl is-active signet-sidecar@stock.service')).code === 0,
        );
    }
    assert.notEqual((await host.try('test -e /etc/signet')).code, 0);
  });
});
