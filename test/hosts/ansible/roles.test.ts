import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { hasDebian } from '../../../setup/debian.mjs';
import { type Ansible, openAnsible } from '../../support/ansible.ts';
import { createCa } from '../../support/ca.ts';
import { type Overlay, openOverlay } from './overlay.ts';
import { buildPackage } from './package.ts';

const env = { ANSIBLE_PIPELINING: '1' };

describe('the roles sidecar and broker, with the real dpkg and systemctl over files in memory', function () {
  this.timeout(180_000);
  let ansible: Ansible;
  let overlay: Overlay;
  let first: Awaited<ReturnType<typeof buildPackage>>;
  let second: Awaited<ReturnType<typeof buildPackage>>;
  let ca: string;
  before(async function () {
    const opened = await openAnsible();
    if (opened === undefined) this.skip();
    ansible = opened;
    if (process.getuid?.() !== 0 || !hasDebian()) this.skip();
    overlay = await openOverlay();
    [first, second] = [await buildPackage(ansible.dir, '0.1.0'), await buildPackage(ansible.dir, '0.2.0')];
    ca = (await createCa('example.org')).pem;
  });
  after(async () => {
    await overlay?.[Symbol.asyncDispose]();
    await ansible?.[Symbol.asyncDispose]();
  });

  const settings = () => ({
    ...{ sidecar_trust_domain: 'example.org', sidecar_broker_url: 'https://signet.example.org:8555' },
    ...{ sidecar_broker_ca: ca, sidecar_package: first.file, sidecar_package_sha256: first.sha256 },
    ...{ sidecar_environment: { SIGNET_INBOUND: '0.0.0.0:8443->127.0.0.1:8080' }, sidecar_ready_within: 0 },
  });
  const play = async (vars: object, args: readonly string[] = [], role = 'sidecar') => {
    const roles = [{ role: `signet.identity.${role}`, vars }];
    const ran = await ansible.play([], {
      play: { roles },
      args: ['-v', ...args],
      env,
      within: overlay.within,
    });
    const counts = /localhost +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+)/.exec(ran.out);
    return { ...ran, changed: Number(counts?.[1]), failed: Number(counts?.[2]) };
  };
  const done = async (vars: object, args?: readonly string[], role?: string) => {
    const ran = await play(vars, args, role);
    assert.deepEqual([ran.code, ran.failed], [0, 0], ran.out);
    return ran;
  };
  const text = (file: string) => readFile(overlay.path(file), 'utf8');
  const version = async () => (await text('/usr/bin/signet')).split(' ')[1]?.trim();
  const upgrade = () => ({ sidecar_package: second.file, sidecar_package_sha256: second.sha256 });

  it('in check mode tells what would change, and changes nothing', async () => {
    assert.ok((await done(settings(), ['--check', '--diff'])).changed > 0);
    assert.deepEqual(await overlay.written(/\/(etc|usr|var)\/.*signet(?!-overlay)/), []);
  });

  it('installs package, settings and key, and the second time finds it done', async () => {
    await done(settings());
    assert.equal(await version(), '0.1.0');
    assert.equal(
      (await text('/etc/signet/sidecar.env')).replace(/^#.*\n/gm, ''),
      "SIGNET_ADMIN='127.0.0.1:15000'\nSIGNET_BROKER_CA='/etc/signet/broker-ca.pem'\n" +
        "SIGNET_BROKER_URL='https://signet.example.org:8555'\nSIGNET_INBOUND='0.0.0.0:8443->127.0.0.1:8080'\n" +
        "SIGNET_TRUST_DOMAIN='example.org'\n",
    );
    assert.equal((await stat(overlay.path('/etc/signet/sidecar.env'))).mode & 0o777, 0o640);
    assert.equal(
      (await text('/etc/systemd/system/signet-sidecar.service.d/ansible.conf')).replace(/^#.*\n/gm, ''),
      '[Service]\nLoadCredential=ssh_host_key:/etc/ssh/ssh_host_ed25519_key\n' +
        'Environment=SIGNET_ATTEST=ssh-host:%d/ssh_host_key\n',
    );
    const enabled = '/etc/systemd/system/multi-user.target.wants/signet-sidecar.service';
    assert.deepEqual(await overlay.written(/wants\/signet-sidecar/), [enabled]);
    const again = await done(settings());
    assert.equal(again.changed, 0, again.out);
  });

  it('upgrades, keeps the settings, and goes back', async () => {
    await done({ ...settings(), ...upgrade() });
    assert.equal(await version(), '0.2.0');
    assert.match(await text('/etc/signet/sidecar.env'), /^SIGNET_INBOUND=/m);
    const back = { ...settings(), ...upgrade(), sidecar_state: 'rolled_back' };
    await done(back);
    assert.equal(await version(), '0.1.0');
    assert.equal((await done(back)).changed, 0, 'twice is once');
    const reloaded = {
      sidecar_environment: { SIGNET_INBOUND: '127.0.0.1:8443->127.0.0.1:8080', SIGNET_WORKERS: 2 },
    };
    const changed = await done({ ...settings(), ...upgrade(), ...reloaded });
    assert.equal(await version(), '0.2.0');
    assert.match(changed.out, /RUNNING HANDLER \[signet\.identity\.sidecar : Restart the sidecar\]/);
    const handled = await done({ ...settings(), ...reloaded });
    assert.doesNotMatch(handled.out, /HANDLER \[signet\.identity\.sidecar : Restart the sidecar\]/);
    assert.equal(await version(), '0.1.0');
  });

  it('redirects by a unit of its own, and ends that when it is no longer wanted', async () => {
    const redirect = {
      sidecar_transparent: { port: 15007, exclude_ports: [22, 53], exclude_cidrs: ['10.0.0.0/8'] },
    };
    await done({ ...settings(), ...redirect });
    assert.match(await text('/etc/signet/sidecar.env'), /^SIGNET_TRANSPARENT='127\.0\.0\.1:15007'$/m);
    assert.match(
      await text('/etc/systemd/system/signet-redirect.service'),
      /iptables --apply --uid "\$\(id -u signet\)" --outbound-port 15007 --exclude-ports 22,53 --exclude-cidr 10\.0\.0\.0\/8'$/m,
    );
    assert.equal((await done({ ...settings(), ...redirect })).changed, 0);
    await done(settings());
    assert.deepEqual(await overlay.written(/signet-redirect/), []);
  });

  it('keeps another sidecar beside it, with a user of its own', async () => {
    const other = {
      ...settings(),
      sidecar_instance: 'web',
      sidecar_admin: '127.0.0.1:15010',
      sidecar_attest: 'tpm:/dev/tpmrm0',
    };
    await done(other);
    assert.match(await text('/etc/signet/web.env'), /^SIGNET_ATTEST='tpm:\/dev\/tpmrm0'$/m);
    const dropIn = await text('/etc/systemd/system/signet-sidecar@web.service.d/ansible.conf');
    assert.equal(dropIn.replace(/^#.*\n/gm, ''), '[Service]\nUser=signet-web\nGroup=signet-web\n');
    assert.equal((await done(other)).changed, 0);
    await done({ ...other, sidecar_state: 'absent' });
    assert.deepEqual(await overlay.written(/web\.(env|service)/), []);
    assert.equal(await version(), '0.1.0');
  });

  it('refuses what cannot be, before anything is changed', async () => {
    const cases: readonly [change: object, message: RegExp][] = [
      [{ sidecar_state: 'there' }, /value of sidecar_state must be one of: present, absent, rolled_back/],
      [{ sidecar_ready_within: 'soon' }, /cannot be converted to an int|unable to convert to int/],
      [{ sidecar_broker_url: 'http://b' }, /sidecar_broker_url is https:\/\//],
      [{ sidecar_broker_ca: 'no certificate' }, /one or more certificates/],
      [{ sidecar_admin: '0.0.0.0:15000' }, /sidecar_admin is 127\.0\.0\.1 and a port/],
      [{ sidecar_instance: '../etc' }, /sidecar_instance is/],
      [{ sidecar_package_sha256: first.sha256.replace(/^./, 'x') }, /64 hexadecimal digits/],
      [{ sidecar_package_sha256: second.sha256 }, /nothing was installed/],
      [{ sidecar_environment: { VAULT_TOKEN: 'x' } }, /VAULT_TOKEN has no place on a host/],
      [
        { sidecar_environment: { SIGNET_ATTEST: 'x' } },
        /SIGNET_ATTEST is no setting for sidecar_environment/,
      ],
      [{ sidecar_environment: { PATH: '/tmp' } }, /PATH is no setting/],
      [{ sidecar_environment: { SIGNET_AUDIT: "a'b" } }, /SIGNET_AUDIT: systemd would read it otherwise/],
      [{ sidecar_environment: { SIGNET_AUDIT: 'a\nB=c' } }, /SIGNET_AUDIT: systemd would read it otherwise/],
      [{ sidecar_environment: { SIGNET_AUDIT: '-\n' } }, /SIGNET_AUDIT: systemd would read it otherwise/],
      [{ sidecar_environment: { SIGNET_CALLS: false } }, /SIGNET_CALLS: systemd would read it otherwise/],
      [{ sidecar_transparent: { exclude_cidrs: ['$(id)/8'] } }, /excludes networks such as/],
      [{ sidecar_state: 'rolled_back', sidecar_package: 'signet' }, /only a package that came as a file/],
    ];
    const tasks = cases.map(([change], i) => ({
      block: [
        {
          'ansible.builtin.include_role': { name: 'signet.identity.sidecar' },
          vars: { ...settings(), ...change },
        },
      ],
      rescue: [{ name: `case ${i}`, 'ansible.builtin.debug': { msg: '{{ ansible_failed_result.msg }}' } }],
    }));
    const ran = await ansible.play(tasks, { args: ['-v', '--check'], env });
    for (const [i, [, message]] of cases.entries()) assert.match(ran.of(`case ${i}`).msg, message);
  });

  it('leaves nothing of the sidecar', async () => {
    assert.ok((await done({ sidecar_state: 'absent' }, ['--check'])).changed > 0);
    assert.equal(await version(), '0.1.0');
    await done({ sidecar_state: 'absent' });
    assert.deepEqual(await overlay.written(/^\/(etc|usr|var|root)\/.*signet/), []);
    assert.doesNotMatch(await text('/etc/passwd'), /signet/);
    assert.doesNotMatch(await text('/var/lib/dpkg/status'), /^Package: signet$/m);
    assert.equal((await done({ sidecar_state: 'absent' })).changed, 0);
  });

  it('sets up a broker, and takes it away', async () => {
    const vars = {
      ...{
        broker_package: first.file,
        broker_package_sha256: first.sha256,
        broker_trust_domain: 'example.org',
      },
      ...{
        broker_vault_addr: 'https://vault.example.org:8200',
        broker_vault_ca: ca,
        broker_role_id: 'a-role',
      },
      ...{ broker_dns: ['signet.example.org', '10.0.0.1'], broker_ready_within: 0 },
    };
    assert.ok((await done(vars, ['--check'], 'broker')).changed > 0);
    await done(vars, [], 'broker');
    assert.equal(
      (await text('/etc/signet/broker.env')).replace(/^#.*\n/gm, ''),
      "SIGNET_ADMIN='127.0.0.1:15100'\nSIGNET_BROKER_DNS='signet.example.org,10.0.0.1'\nSIGNET_LISTEN='0.0.0.0:8555'\n" +
        "SIGNET_TRUST_DOMAIN='example.org'\nSIGNET_VAULT_ROLE_ID='a-role'\nVAULT_ADDR='https://vault.example.org:8200'\n" +
        "VAULT_CACERT='/etc/signet/broker-vault-ca.pem'\n",
    );
    assert.equal((await done(vars, [], 'broker')).changed, 0);
    const refused = await play({ ...vars, broker_environment: { VAULT_TOKEN: 'x' } }, [], 'broker');
    assert.match(refused.out, /VAULT_TOKEN has no place on a host/);
    const used = await play({ sidecar_state: 'absent' });
    assert.match(used.out, /The package is used by signet-broker\.service/);
    assert.equal(await version(), '0.1.0');
    await done({ broker_state: 'absent' }, [], 'broker');
    assert.deepEqual(await overlay.written(/signet-broker|\/etc\/signet\/broker/), []);
    await done({ sidecar_state: 'absent' });
    assert.deepEqual(await overlay.written(/^\/(etc|usr|var|root)\/.*signet/), []);
  });
});
