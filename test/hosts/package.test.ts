import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { Host } from '../../harness/hosts/host.ts';
import { startTraffic } from '../e2e/traffic.ts';
import { type Built, buildPackages, needPackageParts } from '../packaging/linux/built.ts';
import {
  allow,
  files,
  fingerprintOf,
  install,
  needHosts,
  openSite,
  type Site,
  serveOrders,
  statusOf,
  until,
  writeSettings,
} from './site.ts';

const NEXT = '0.1.1';
describe('the package on a Debian with systemd', function () {
  this.timeout(300_000);
  let site: Site;
  let host: Host;
  let built: Built;
  let next: Built;
  let untouched: string[];
  let id: string;

  before(async function () {
    needPackageParts(this);
    needHosts(this);
    const only = ['--architecture', 'amd64', '--format', 'deb', '--compression', 'zstd'];
    [built, next] = await Promise.all([buildPackages(only), buildPackages([...only, '--version', NEXT])]);
    site = await openSite();
    host = await site.yard.startHost('web');
    await serveOrders(host);
    untouched = await files(host);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    built?.[Symbol.dispose]();
    next?.[Symbol.dispose]();
  });

  const show = async (property: string, unit = 'signet-sidecar.service') =>
    (await host.run(`systemctl show --property=${property} --value ${unit}`)).trim();

  it('installs, and starts nothing that nobody has set up', async () => {
    const said = await install(host, built.file('_amd64.deb'));
    assert.doesNotMatch(said, /error|warn/i);
    assert.equal(await show('ActiveState'), 'inactive');
    assert.equal(await show('UnitFileState'), 'disabled');
    assert.match(await host.run('getent passwd signet'), /:\/nonexistent:\/usr\/sbin\/nologin$/m);
    assert.match(await host.run('signet --help'), /workload identity on HashiCorp Vault/);
  });

  it('has units that systemd finds nothing to say of, and that are exposed to little', async () => {
    const units = ['signet-sidecar.service', 'signet-sidecar@web.service', 'signet-broker.service'];
    for (const unit of units) {
      const { stdout, stderr } = await host.try(
        `SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no ${unit}`,
      );
      assert.equal(stdout + stderr, '', unit);
      const told = await host.run(`systemd-analyze security --no-pager ${unit} | tail -1`);
      const [, level = '10'] = /exposure level for \S+: ([\d.]+)/.exec(told) ?? [];
      console.log(`      ${unit}: exposure ${level}`);
      assert.ok(Number(level) < 2, told);
    }
  });

  it('tells what is wrong with the settings, once', async () => {
    const { code } = await host.try('systemctl start signet-sidecar.service');
    assert.notEqual(code, 0);
    assert.equal(await show('ExecMainStatus'), '2');
    assert.equal(await show('NRestarts'), '0');
    const log = await host.run('journalctl --no-pager -o cat -u signet-sidecar.service');
    assert.match(log, /SIGNET_TRUST_DOMAIN/);
  });

  it('is started when it has its identity, by the host key that only root may read', async () => {
    const key = await fingerprintOf(host);
    ({ id } = await site.world.register('web', { match: { 'ssh-host:key': key } }));
    await writeSettings(host, site.world, { SIGNET_MODE: 'agent', SIGNET_AUDIT: '-' });
    await host.run(
      'systemctl reset-failed signet-sidecar.service; systemctl enable --now signet-sidecar.service',
    );
    const status = await statusOf(host);
    assert.equal(status['identity'] === undefined, false, JSON.stringify(status));
    assert.ok(JSON.stringify(status).includes(id));
    assert.equal(await show('StatusText'), 'serving');
    assert.equal((await host.run('stat -c %a /etc/ssh/ssh_host_ed25519_key')).trim(), '600');
    assert.equal((await host.run(`ps -o user= -p ${await show('MainPID')}`)).trim(), 'signet');
    assert.equal(status['hardening']['not_dumpable'], 'on');
    const memory = await host.run(`grep VmRSS /proc/${await show('MainPID')}/status`);
    console.log(`      resident: ${Math.round(Number(memory.match(/\d+/)?.[0]) / 1024)} MB`);
  });

  it('is started anew by the watchdog when it hangs', async () => {
    const dir = '/run/systemd/system/signet-sidecar.service.d';
    await host.run(`mkdir -p ${dir}; printf '[Service]\\nWatchdogSec=2s\\nWatchdogSignal=SIGKILL\\n' > ${dir}/quick.conf
      systemctl daemon-reload; systemctl restart signet-sidecar.service`);
    const pid = await show('MainPID');
    await host.run(`kill -STOP ${pid}`);
    await until(async () => (await show('MainPID')) !== pid && (await show('ActiveState')) === 'active');
    assert.equal(await show('NRestarts'), '1');
    await host.run(`rm -r ${dir}; systemctl daemon-reload`);
  });

  it('waits for a broker that is out of reach, and says so', async () => {
    await site.world.broker.stop();
    await host.run('systemctl restart --no-block signet-sidecar.service');
    await until(async () => (await show('StatusText')) === 'waiting for svid');
    assert.equal(await show('ActiveState'), 'activating');
    await site.world.startBroker();
    await until(async () => (await show('ActiveState')) === 'active');
  });

  it('proves itself again after a reboot, by itself', async () => {
    await host.powerOff();
    await host.boot();
    await until(async () => (await show('ActiveState')) === 'active');
    assert.equal(await show('StatusText'), 'serving');
  });

  it('upgrades a single process by starting it anew, and leaves the settings as they are', async () => {
    const settings = await readFile(join(host.root, 'etc/signet/sidecar.env'), 'utf8');
    const pid = await show('MainPID');
    await install(host, next.file('_amd64.deb'));
    await until(async () => (await show('MainPID')) !== pid && (await show('ActiveState')) === 'active');
    assert.equal(await readFile(join(host.root, 'etc/signet/sidecar.env'), 'utf8'), settings);
    assert.equal((await host.run(`dpkg-query -W -f '\${Version}' signet`)).trim(), NEXT);
  });

  it('upgrades two processes under load without losing a request', async () => {
    await install(host, built.file('_amd64.deb'));
    const { world } = site;
    const caller = await world.register('caller');
    await writeFile(join(host.root, 'etc/signet/policy.json'), JSON.stringify([allow(`${id}`, caller.id)]));
    const inbound = {
      SIGNET_INBOUND: '0.0.0.0:8443->127.0.0.1:8080',
      SIGNET_POLICY_FILE: '/etc/signet/policy.json',
    };
    await writeSettings(host, world, { ...inbound, SIGNET_WORKERS: '2' });
    await host.run('systemctl restart signet-sidecar.service');
    await using sidecar = await world.sidecar(caller, {
      SIGNET_MODE: 'service',
      SIGNET_OUTBOUND: '127.0.0.1:0',
      SIGNET_UPSTREAMS: `orders=${host.address}:8443#${id}`,
    });
    await sidecar.waitForEvent('ready');
    const workers = async () => (await statusOf(host))['workers'].map(({ pid }: { pid: number }) => pid);
    const old = await workers();
    const traffic = startTraffic(await sidecar.addressOf('outbound'), { posts: true });
    await install(host, next.file('_amd64.deb'));
    await until(async () => {
      const now = await workers();
      return now.length === 2 && !now.some((pid: number) => old.includes(pid));
    });
    const { '200': answered = 0, ...others } = await traffic.stop();
    assert.deepEqual(others, {});
    console.log(`      ${answered} requests, none lost`);
    assert.ok(answered > 100);
  });

  it('runs several services side by side, each as a user and with a key of its own', async () => {
    const ids: string[] = [];
    for (const name of ['orders', 'stock']) {
      await host.run(`ssh-keygen -q -t ed25519 -N '' -f /etc/signet/${name}.key`);
      const key = await fingerprintOf(host, `/etc/signet/${name}.key.pub`);
      ids.push((await site.world.register(name, { match: { 'ssh-host:key': key } })).id);
      await writeSettings(host, site.world, { SIGNET_MODE: 'agent', SIGNET_ATTEST: 'ssh-host:%d/key' }, name);
      await host.run(`systemctl start signet-sidecar@${name}.service`);
    }
    const owners = new Set<string>();
    for (const [i, name] of ['orders', 'stock'].entries()) {
      const unit = `signet-sidecar@${name}.service`;
      const owner = await host.run(`stat -c %u /proc/${await show('MainPID', unit)}`);
      // where systemd takes users from that are there while a unit runs
      assert.ok(Number(owner) >= 61_184 && Number(owner) <= 65_519, owner);
      owners.add(owner);
      assert.ok(JSON.stringify(await statusOf(host, `signet-sidecar-${name}`)).includes(String(ids[i])));
    }
    assert.equal(owners.size, 2);
  });

  it('spends a join code and leaves none behind', async () => {
    const batch = await site.world.register('batch', { match: { 'join:entry': 'acme/shop/batch' } });
    await writeFile(join(host.root, 'etc/signet/batch.join-code'), await site.world.joinCode('batch'), {
      mode: 0o600,
    });
    await writeSettings(
      host,
      site.world,
      { SIGNET_MODE: 'agent', SIGNET_ATTEST: 'join:%d/join-code' },
      'batch',
    );
    await host.run('systemctl start signet-sidecar@batch.service');
    assert.ok(JSON.stringify(await statusOf(host, 'signet-sidecar-batch')).includes(batch.id));
    assert.notEqual((await host.try('test -e /etc/signet/batch.join-code')).code, 0);
  });

  it('goes, and keeps the settings until it is purged', async () => {
    await host.run('dpkg --remove signet');
    assert.equal((await host.try('pgrep -f /opt/signet')).code, 1);
    assert.equal(
      (await host.try('systemctl is-enabled signet-sidecar.service')).stdout.trim() === 'enabled',
      false,
    );
    assert.ok((await files(host)).includes('/etc/signet/sidecar.env'));
    await host.run('dpkg --purge signet');
    assert.deepEqual(await files(host), untouched);
    assert.equal((await host.try('getent passwd signet signet-broker')).stdout, '');
  });
});
