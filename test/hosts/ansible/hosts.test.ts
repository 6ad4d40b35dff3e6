import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { Host } from '../../../harness/hosts/host.ts';
import { startTraffic } from '../../e2e/traffic.ts';
import { type Built, buildPackages, needPackageParts } from '../../packaging/linux/built.ts';
import { type Ansible, openAnsible, type Ran } from '../../support/ansible.ts';
import { allow, files, needHosts, openSite, type Site, serveOrders, until } from '../site.ts';

const NEXT = '0.1.1';
const id = (name: string) => `spiffe://example.org/ns/shop/host/${name}`;

/** What a platform engineer has: one play that registers hosts and puts sidecars on them. */
const PLAYBOOK = [
  {
    name: 'Register the hosts with the keys that are pinned',
    hosts: 'all',
    gather_facts: false,
    tasks: [
      {
        name: 'Register',
        'signet.identity.signet_host': {
          tenant: 'acme/shop',
          name: 'host-{{ inventory_hostname }}',
          spiffe_id: 'spiffe://example.org/ns/shop/host/{{ inventory_hostname }}',
          ttl: '15m',
          known_hosts: ['known_hosts'],
        },
      },
    ],
  },
  {
    name: 'Give them their sidecars',
    hosts: 'all',
    gather_facts: false,
    pre_tasks: [
      { 'ansible.builtin.file': { path: '/etc/shop', state: 'directory', mode: '0755' } },
      {
        'ansible.builtin.copy': { src: 'policy.json', dest: '/etc/shop/policy.json', mode: '0644' },
        when: "sidecar_state | default('present') != 'absent'",
      },
      { 'ansible.builtin.copy': { src: 'vault-ca.pem', dest: '/etc/shop/vault-ca.pem', mode: '0644' } },
    ],
    roles: [{ role: 'signet.identity.sidecar' }],
  },
];

describe('two hosts and a controller with Ansible', function () {
  this.timeout(600_000);
  let site: Site;
  let ansible: Ansible;
  let web: Host;
  let orders: Host;
  let built: Built;
  let next: Built;
  let token: string;
  let untouched: string[];

  before(async function () {
    needPackageParts(this);
    needHosts(this);
    const opened = await openAnsible();
    if (opened === undefined) this.skip();
    ansible = opened;
    const only = ['--architecture', 'amd64', '--format', 'deb', '--compression', 'zstd'];
    built = await buildPackages(only);
    next = await buildPackages([...only, '--version', NEXT]);
    site = await openSite();
    [web, orders] = [await site.yard.startHost('web'), await site.yard.startHost('orders')];
    await serveOrders(orders);
    untouched = await files(orders);
    const made = await site.world.vault.request('POST', 'auth/token/create', {
      ...{ policies: ['signet-registrar-acme.shop'], no_default_policy: true, ttl: '1h' },
    });
    token = made.body.auth.client_token;
    await writeFile(join(ansible.dir, 'site.yml'), JSON.stringify(PLAYBOOK));
    const when = { all: [{ caller: { is: id('web') } }, { method: { is: 'GET' } }] };
    await writeFile(join(ansible.dir, 'policy.json'), JSON.stringify([{ ...allow(id('orders'), ''), when }]));
    await writeFile(join(ansible.dir, 'vault-ca.pem'), site.world.vault.caCert ?? '');
    await pin();
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ansible?.[Symbol.asyncDispose]();
    built?.[Symbol.dispose]();
    next?.[Symbol.dispose]();
  });

  /** Pins the keys that the hosts have now, as their consoles would show them. */
  const pin = async () => {
    const lines = await Promise.all(
      [web, orders].map(async (host) => {
        const key = await readFile(join(host.root, 'etc/ssh/ssh_host_ed25519_key.pub'), 'utf8');
        return `${host.address} ${key.split(' ').slice(0, 2).join(' ')}\n`;
      }),
    );
    await writeFile(join(ansible.dir, 'known_hosts'), lines.join(''));
  };
  const play = async (more: object = {}, args: readonly string[] = []): Promise<Ran> => {
    const file = built.file('_amd64.deb');
    const shared = {
      ansible_user: 'root',
      ansible_python_interpreter: '/usr/bin/python3',
      ansible_ssh_common_args: `-o UserKnownHostsFile=${join(ansible.dir, 'known_hosts')} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes`,
      sidecar_package: file,
      sidecar_package_sha256: sha256(await readFile(file)),
      sidecar_trust_domain: 'example.org',
      sidecar_broker_url: site.world.brokerUrl,
      sidecar_broker_ca: await readFile(join(site.world.dir, 'root.pem'), 'utf8'),
      sidecar_ready_within: 30,
      ...more,
    };
    const own = { VAULT_CACERT: '/etc/shop/vault-ca.pem', SIGNET_AUDIT: '/var/lib/signet/audit.jsonl' };
    const hosts = {
      web: {
        ...{ ansible_host: web.address, ansible_ssh_private_key_file: web.sshKey },
        sidecar_environment: {
          ...{ VAULT_CACERT: own.VAULT_CACERT, SIGNET_OUTBOUND: '127.0.0.1:15001' },
          SIGNET_UPSTREAMS: `orders=${orders.address}:8443#${id('orders')}`,
        },
      },
      orders: {
        ...{ ansible_host: orders.address, ansible_ssh_private_key_file: orders.sshKey },
        sidecar_environment: {
          ...{ VAULT_CACERT: own.VAULT_CACERT, SIGNET_INBOUND: '0.0.0.0:8443->127.0.0.1:8080' },
          ...{ SIGNET_POLICY_FILE: '/etc/shop/policy.json', SIGNET_WORKERS: '2' },
        },
      },
    };
    await writeFile(join(ansible.dir, 'hosts.json'), JSON.stringify({ all: { vars: shared, hosts } }));
    const env = {
      ...{ SIGNET_BROKER_URL: site.world.brokerUrl, SIGNET_BROKER_CA: join(site.world.dir, 'root.pem') },
      ...{ SIGNET_TRUST_DOMAIN: 'example.org', VAULT_TOKEN: token, ANSIBLE_PIPELINING: '1' },
    };
    const ran = await ansible.run('ansible-playbook', ['-i', 'hosts.json', 'site.yml', ...args], env);
    assert.ok(!ran.out.includes(token));
    return ran;
  };
  const done = async (more: object = {}, args: readonly string[] = []) => {
    const ran = await play(more, args);
    assert.equal(ran.code, 0, ran.out);
    return ran;
  };
  const changes = ({ out }: Ran) =>
    Object.fromEntries(
      Array.from(out.matchAll(/^(web|orders) +: ok=\d+ +changed=(\d+)/gm), ([, name, count]) => [
        name,
        Number(count),
      ]),
    );
  const call = (method: string) =>
    web.run(`curl -sS -w '\\n%{http_code}' -X ${method} -H 'Host: orders' http://127.0.0.1:15001/orders/7`);
  const answers = async () => (await call('GET').catch(String)) === 'ordered\n200';

  it('play once: registered, installed, and serving', async () => {
    await done();
    for (const host of [web, orders])
      assert.match(
        await host.run('systemctl show --property=StatusText signet-sidecar.service'),
        /=serving$/m,
      );
  });

  it('play twice: nothing changes, and check mode agrees', async () => {
    assert.deepEqual(changes(await done()), { web: 0, orders: 0 });
    assert.deepEqual(changes(await done({}, ['--check'])), { web: 0, orders: 0 });
  });

  it('let one call the other as policy says, and tell why not', async () => {
    assert.equal(await call('GET'), 'ordered\n200');
    const denied = await call('DELETE');
    assert.match(denied, /no_rule[\s\S]*\n403$/);
  });

  it('leave no secret of the controller on a host', async () => {
    for (const host of [web, orders]) {
      const { code } = await host.try(`grep -rIlF ${token} /etc /var /root /opt /run --exclude-dir=proc`);
      assert.equal(code, 1);
    }
  });

  it('have their identities again after a reboot, without the controller', async () => {
    for (const host of [web, orders]) await host.powerOff();
    for (const host of [web, orders]) await host.boot();
    await until(answers);
  });

  it('refuse a host whose key was swapped: at the broker, and in the play', async () => {
    const key = '/etc/ssh/ssh_host_ed25519_key';
    await web.run(`cp -p ${key} /root/kept; cp -p ${key}.pub /root/kept.pub; rm ${key} ${key}.pub
      ssh-keygen -q -t ed25519 -N '' -f ${key}; systemctl restart ssh; systemctl restart --no-block signet-sidecar.service`);
    const log = () =>
      web.run('journalctl --no-pager -o cat -b -u signet-sidecar.service | grep renewal_failed | tail -1');
    await until(async () => /no_entry/.test(await log().catch(String)));
    assert.ok(!(await answers()));
    const stranger = await play();
    assert.match(stranger.out, /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i);
    await pin();
    const refused = await play({}, ['-v']);
    assert.notEqual(refused.code, 0);
    assert.match(refused.out, /host_key_differs/);
    await web.run(
      `mv /root/kept ${key}; mv /root/kept.pub ${key}.pub; systemctl restart ssh; systemctl restart signet-sidecar.service`,
    );
    await pin();
    await until(answers);
  });

  it('upgrade a sidecar under load, and go back, without losing a request', async () => {
    const caller = await site.world.register('caller');
    const policy = JSON.stringify([allow(id('orders'), caller.id)]);
    await writeFile(join(ansible.dir, 'policy.json'), policy);
    await done();
    await orders.run('systemctl reload signet-sidecar.service');
    await using sidecar = await site.world.sidecar(caller, {
      ...{ SIGNET_MODE: 'service', SIGNET_OUTBOUND: '127.0.0.1:0' },
      SIGNET_UPSTREAMS: `orders=${orders.address}:8443#${id('orders')}`,
    });
    await sidecar.waitForEvent('ready');
    const installed = async () => (await orders.run(`dpkg-query -W -f '\${Version}' signet`)).trim();
    const traffic = startTraffic(await sidecar.addressOf('outbound'), { posts: true });
    const file = next.file('_amd64.deb');
    const wanted = { sidecar_package: file, sidecar_package_sha256: sha256(await readFile(file)) };
    await done(wanted);
    assert.equal(await installed(), NEXT);
    await done({ ...wanted, sidecar_state: 'rolled_back' });
    assert.notEqual(await installed(), NEXT);
    const { '200': answered = 0, ...others } = await traffic.stop();
    assert.deepEqual(others, {});
    console.log(`      ${answered} requests, none lost`);
    assert.ok(answered > 100);
  });

  it('are as they were before, when it is taken away', async () => {
    await done({ sidecar_state: 'absent' });
    await orders.run('rm -r /etc/shop');
    assert.deepEqual(await files(orders), untouched);
    assert.equal((await orders.try('pgrep -f /opt/signet')).code, 1);
    assert.ok(!existsSync(join(orders.root, 'var/cache/signet')));
    assert.equal((await orders.try('getent passwd signet')).code, 2);
  });
});

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
