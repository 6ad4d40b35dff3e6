import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { load } from 'js-yaml';
import { startChild } from '../../../harness/child.ts';
import { freePort } from '../../../harness/port.ts';
import type { LoggingProcess } from '../../../harness/processes.ts';
import { buildMirror } from '../../../packaging/terraform-provider/mirror.ts';
import { root } from '../../../setup/paths.mjs';
import { terraformPrograms } from '../../../setup/terraform.mjs';
import { until } from '../../broker/site.ts';
import { type SshKeygen, sshKeygen } from '../../support/ssh-keygen.ts';
import { startVault, type TestVault } from '../../support/vault.ts';
import { bootMachine, type SimulatedMachine } from './simulated-machine.ts';

const readme = await readFile(join(root, 'terraform/examples/quickstart/README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```sh test\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
const [ending] = [...readme.matchAll(/^```sh end\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
const TOKEN = /\bhv[sbr]\.[\w-]{20,}/;

describe('terraform/examples/quickstart', function () {
  this.timeout(180_000);
  let vault: TestVault;
  let ssh: SshKeygen;
  let dir: string;
  let app: Server;
  let env: Record<string, string | undefined>;
  let brokerPid = 0;
  let printed = '';
  const machines: SimulatedMachine[] = [];
  const place = (...names: string[]) => join(dir, 'terraform/examples/quickstart', ...names);

  before(async function () {
    const programs = terraformPrograms();
    if (programs === undefined) return this.skip();
    dir = await mkdtemp(join(tmpdir(), 'signet-quickstart-'));
    const [mirror] = await Promise.all([
      buildMirror({ folder: join(dir, 'built') }),
      cp(join(root, 'terraform/modules'), join(dir, 'terraform/modules'), { recursive: true }),
      cp(join(root, 'terraform/examples'), join(dir, 'terraform/examples'), { recursive: true }),
    ]);
    [vault, ssh] = await Promise.all([startVault(), sshKeygen()]);
    app = createServer((incoming, response) => response.end(`for ${incoming.headers['x-signet-caller']}`));
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    await writeFile(
      join(dir, 'cli.tfrc'),
      `provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(mirror.folder)}
    include = ["registry.opentofu.org/signet/signet"]
  }
  filesystem_mirror {
    path    = ${JSON.stringify(join(dirname(programs.configuration), 'mirror'))}
    exclude = ["registry.opentofu.org/signet/signet"]
  }
}
`,
    );
    await mkdir(join(dir, 'bin'));
    const commands = {
      signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
      tofu: `exec "${programs.tofu}" "$@"`,
    };
    for (const [name, line] of Object.entries(commands)) {
      await writeFile(join(dir, 'bin', name), `#!/bin/sh\n${line}\n`);
      await chmod(join(dir, 'bin', name), 0o755);
    }
    const hostKey = await ssh.newKey('ssh_host_ed25519_key');
    env = {
      PATH: `${join(dir, 'bin')}:${process.env['PATH']}`,
      ...{ HOME: dir, CHECKPOINT_DISABLE: '1', TF_INPUT: '0', TF_CLI_CONFIG_FILE: join(dir, 'cli.tfrc') },
      ...{ VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken },
      ...{ BROKER: `127.0.0.1:${await freePort()}`, TF_VAR_orders_host_key: hostKey.fingerprint },
      TF_VAR_orders_address: `127.0.0.1:${await freePort()}`,
      TF_VAR_orders_app: `127.0.0.1:${(app.address() as AddressInfo).port}`,
      TF_VAR_web_outbound: `127.0.0.1:${await freePort()}`,
    };
  });
  after(async () => {
    for (const machine of machines) await machine[Symbol.asyncDispose]();
    if (brokerPid !== 0) process.kill(brokerPid);
    app?.close();
    await ssh?.[Symbol.asyncDispose]();
    await vault?.stop();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  const shell = async (script: string, more: Record<string, string> = {}) => {
    await writeFile(join(dir, 'script.sh'), script);
    const child = await startChild('bash', ['-euo', 'pipefail', '-x', join(dir, 'script.sh')], {
      cwd: place(),
      env: { ...env, ...more },
    });
    child.stdin.end();
    const { code } = await child.ended;
    printed += child.stdout() + child.stderr();
    assert.equal(code, 0, child.stdout() + child.stderr());
    return child.stdout();
  };
  const atBroker = () => ({
    SIGNET_BROKER_URL: `https://${env['BROKER']}`,
    SIGNET_BROKER_CA: place('root.pem'),
    SIGNET_TRUST_DOMAIN: 'example.org',
    TF_VAR_broker_url: `https://${env['BROKER']}`,
    TF_VAR_broker_ca: place('root.pem'),
    TF_VAR_web_seed: place('web.user-data'),
  });
  const boot = async (userData: string, keys: Record<string, Buffer> = {}) => {
    const machine = await bootMachine(userData, keys);
    machines.push(machine);
    assert.deepEqual(machine.failed, []);
    assert.deepEqual(machine.told, ['systemctl enable --now --no-block signet-sidecar.service']);
    return machine;
  };
  const call = async (method: string) => {
    const [hostname, port] = env['TF_VAR_web_outbound']!.split(':');
    const asked = request({
      ...{ hostname, port, method, path: '/orders/42', headers: { host: 'orders.internal' }, agent: false },
    }).end();
    const [response] = await once(asked, 'response');
    return { status: response.statusCode as number, body: await text(response) };
  };

  it('does what its README says, from top to bottom', async () => {
    assert.equal(readme.match(/^```sh/gm)?.length, blocks.length + 1);
    assert.equal(blocks.length, 5);
    const stopIfCutOff = `trap '[ $? -eq 0 ] || kill $! 2>/dev/null' EXIT`;
    const told = await shell([stopIfCutOff, ...blocks, 'echo "broker is $!"'].join('\n'));
    brokerPid = Number(/^broker is (\d+)$/m.exec(told)?.[1]);
    assert.match(told, /no faults/);
    assert.match(told, /acme\/shop\/web active spiffe:\/\/example\.org\/ns\/shop\/host\/web/);
  });

  let orders: LoggingProcess;
  let machine: SimulatedMachine;
  it('brings up machines by their user data: a call is allowed, and one denied', async () => {
    const key = await readFile(join(ssh.dir, 'ssh_host_ed25519_key'));
    machine = await boot(await readFile(place('orders.user-data'), 'utf8'), {
      '/etc/ssh/ssh_host_ed25519_key': key,
    });
    const web = await boot(await readFile(place('web.user-data'), 'utf8'));
    orders = await machine.startSidecar();
    const caller = await web.startSidecar();
    const svids = await Promise.all(
      [orders, caller].map(async (sidecar) => {
        await sidecar.waitForEvent('ready', undefined, 60_000);
        return (await sidecar.waitForEvent('svid'))['spiffe_id'];
      }),
    );
    assert.deepEqual(svids, [
      'spiffe://example.org/ns/shop/host/orders',
      'spiffe://example.org/ns/shop/host/web',
    ]);
    await until(async () => (await call('GET')).status === 200, 30_000);
    assert.equal((await call('GET')).body, 'for spiffe://example.org/ns/shop/host/web');
    const denied = await call('DELETE');
    assert.equal(denied.status, 403);
    assert.match(denied.body, /no_rule/);
  });

  it('leaves nothing that could be used in state, output and user data, and raises an alarm when a code is', async () => {
    const userData = await readFile(place('web.user-data'), 'utf8');
    const { write_files } = load(userData) as { write_files: { path: string; content: string }[] };
    const code = write_files.find(({ path }) => path === '/etc/signet/join-code')?.content.trim() ?? '';
    assert.ok(code.length >= 40);
    const files = await readdir(place(), { recursive: true, withFileTypes: true });
    const texts = new Map([['what was printed', printed]]);
    for (const file of files)
      if (file.isFile() && file.name !== 'broker-secret-id' && !file.parentPath.includes('.terraform/'))
        texts.set(join(file.parentPath, file.name), await readFile(join(file.parentPath, file.name), 'utf8'));
    assert.ok([...texts.keys()].filter((name) => name.endsWith('.tfstate')).length === 2);
    for (const [name, content] of texts) {
      if (name === place('web.user-data')) continue;
      assert.doesNotMatch(content, TOKEN, name);
      assert.ok(!content.includes(vault.rootToken), name);
      assert.ok(!content.includes(code), name);
      assert.doesNotMatch(content, /PRIVATE KEY/, name);
    }
    const thief = await boot(userData.replace(/SIGNET_OUTBOUND='[^']*'/, "SIGNET_OUTBOUND='127.0.0.1:0'"));
    const stolen = await thief.startSidecar();
    const refused = await stolen.waitForEvent('renewal_failed', undefined, 30_000);
    assert.equal(refused['reason'], 'attestation_refused');
    await until(async () => (await readFile(place('broker.log'), 'utf8')).includes('"join_code_alarm"'));
    await stolen.stop(2_000);
  });

  it('ends an identity with its host: the machine that runs is refused at its next renewal, and so is one that starts', async () => {
    await shell(ending!, atBroker());
    const admin = await orders.addressOf('admin');
    const renewal = orders.nextEvent('renewal_failed', 30_000);
    await fetch(`http://${admin}/rotate`, { method: 'POST' });
    assert.match(JSON.stringify(await renewal), /no_entry/);
    await orders.stop(2_000);
    const again = await machine.startSidecar();
    assert.match(JSON.stringify(await again.waitForEvent('renewal_failed', undefined, 30_000)), /no_entry/);
    await again.stop(2_000);
  });
});
