import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestAws, testAws } from '../../support/aws.ts';
import { createCa, type TestCa } from '../../support/ca.ts';
import { drivers } from '../provider/workspace.ts';
import { openStage, type Stage, type Workspace } from '../signet/stage.ts';
import { MODULES } from '../workspace.ts';
import { bootMachine } from './simulated-machine.ts';

const KEY = 'SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8';
const SSH = `proof = { ssh_host_key = "${KEY}" }`;
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

describe('terraform/modules/host', function () {
  this.timeout(180_000);
  let stage: Stage;
  let ca: TestCa;
  let aws: TestAws;
  let server: Server;
  let address: string;
  const bytes = randomBytes(2_000);
  before(async () => {
    aws = await testAws();
    const signer = await aws.signer('eu-central-1');
    const told = { SIGNET_AWS_CERTIFICATES: `eu-central-1=${signer.certificate}` };
    [stage, ca] = await Promise.all([openStage(told), createCa()]);
    const { pem, privateKeyPem } = await ca.leaf('spiffe://example.org/packages', {
      sans: [{ type: 'ip', value: '127.0.0.1' }],
    });
    server = createServer({ cert: pem, key: privateKeyPem }, (_, response) => response.end(bytes));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server?.close();
    await aws?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  const open = async (driver: ReturnType<typeof drivers>[number]) => {
    const w = await stage.open(driver, {
      VAULT_TOKEN: stage.site.registrar.shop,
      TF_VAR_ca: stage.site.ca,
    });
    await cp(MODULES, join(w.dir, 'modules'), { recursive: true });
    return w;
  };
  const write = async (w: Workspace, inputs: string, more = '') => {
    const broker = `broker = { url = "https://${stage.broker.address}", ca = var.ca }`;
    await w.write(`variable "ca" {
  type = string
}
module "vm" {
  source       = "./modules/host"
  tenant       = "acme/shop"
  name         = "vm"
  spiffe_id    = "spiffe://example.org/ns/shop/host/vm"
  ${/^trust_domain = /m.test(inputs) ? '' : 'trust_domain = "example.org"'}
  ${/^broker = /m.test(inputs) ? '' : broker}
  ${inputs}
}
output "user_data" {
  value = module.vm.cloud_init
}
${more}`);
    const ran = await w.run(['get', '-no-color']);
    assert.equal(ran.code, 0, ran.err);
  };
  const destroy = async (w: Workspace) => {
    const ran = await w.run(['destroy', '-auto-approve', '-input=false', '-no-color']);
    assert.equal(ran.code, 0, ran.err);
  };
  const userDataOf = async (w: Workspace) => {
    await w.apply();
    return (await w.run(['output', '-raw', 'user_data'])).out;
  };

  for (const driver of drivers())
    it(`by ${driver.name}: user data installs the package that was meant, and no other`, async function () {
      if (driver.program === undefined) this.skip();
      const w = await open(driver);
      await w.run(['init', '-input=false', '-no-color']);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      for (const [kind, command] of [
        ['deb', 'dpkg --install --force-confold /run/signet-sidecar.deb'],
        ['rpm', 'rpm --upgrade /run/signet-sidecar.rpm'],
      ]) {
        const wanted = (hash: string) =>
          `${SSH}\nenvironment = { SIGNET_OUTBOUND = "127.0.0.1:15001" }\npackage = { url = "${address}/signet.${kind}", sha256 = "${hash}" }`;
        await write(w, wanted(sha256));
        const start = 'systemctl enable --now --no-block signet-sidecar.service';
        const meant = await userDataOf(w);
        await using machine = await bootMachine(meant, { [AUTHORITIES]: ca.pem });
        assert.deepEqual([machine.failed, machine.told], [[], [command, start]]);
        await using deceived = await bootMachine(meant, { [AUTHORITIES]: stage.site.ca });
        assert.match(deceived.failed.join('\n'), /ended with 60: curl/, 'a server that nobody vouches for');
        assert.deepEqual(deceived.told, [start]);
        await write(w, wanted('0'.repeat(64)));
        await using other = await bootMachine(await userDataOf(w), { [AUTHORITIES]: ca.pem });
        assert.match(other.failed.join('\n'), /ended with 1: .*FAILED/);
        assert.deepEqual(other.told, [start]);
      }
      assert.equal(await w.isDone(), true);
      await destroy(w);
    });

  for (const driver of drivers())
    it(`by ${driver.name}: an EC2 instance is made with the user data of the host that is registered by its id`, async function () {
      if (driver.program === undefined) this.skip();
      const w = await open(driver);
      await w.run(['init', '-input=false', '-no-color']);
      const instance =
        '{ account = "123456789012", instance = format("i-%s", substr(sha256(terraform_data.instance.id), 0, 17)) }';
      const inputs = `proof = { aws = true }\naws_instance = ${instance}\nenvironment = {}`;
      await write(w, inputs, 'resource "terraform_data" "instance" {\n  input = module.vm.cloud_init\n}');
      assert.match(await userDataOf(w), /SIGNET_ATTEST='aws:%d\/ssh_host_ed25519_key'/);
      assert.equal(await w.isDone(), true);
      const token = stage.site.registrar.shop;
      const { body } = await stage.broker.call('GET', '/v1/entries/acme.shop/vm', undefined, token);
      assert.equal(body.match['aws:account'], '123456789012');
      assert.match(body.match['aws:instance'], /^i-[0-9a-f]{17}$/);
      await destroy(w);
    });

  it('refuses what cannot be meant, and names the input', async function () {
    const [driver] = drivers();
    if (driver?.program === undefined) this.skip();
    const w = await open(driver!);
    const none = 'environment = {}';
    for (const [inputs, wanted] of [
      [`proof = {}\n${none}`, /A machine proves itself in one way/],
      [`proof = { join = true, ssh_host_key = "${KEY}" }\n${none}`, /A machine proves itself in one way/],
      [`proof = { aws = true }\n${none}`, /aws_instance says which instance/],
      [
        `${SSH}\n${none}\naws_instance = { account = "123456789012", instance = "i-00000000" }`,
        /aws_instance says/,
      ],
      [`proof = { device = { ca = "SHA256:x", serial = "1" } }\n${none}`, /set attest to x509:/],
      [`${SSH}\nenvironment = { PATH = "x" }`, /begin with SIGNET_ or VAULT_/],
      [`${SSH}\nenvironment = { VAULT_TOKEN = "x" }`, /VAULT_TOKEN has no place on a machine/],
      [`${SSH}\nenvironment = { SIGNET_ATTEST = "x" }`, /follow from other inputs/],
      [`${SSH}\nenvironment = { SIGNET_OUTBOUND = "a\\nb" }`, /one line without an apostrophe/],
      [`${SSH}\nenvironment = { SIGNET_OUTBOUND = "it's" }`, /one line without an apostrophe/],
      // what follows such a mark would be a setting of its own
      [`${SSH}\n${none}\nattest = "ssh-host:/k'\\nSIGNET_MODE='edge"`, /one line without an apostrophe/],
      [`${SSH}\n${none}\ntrust_domain = "example.org'\\nSIGNET_MODE='edge"`, /a trust domain, such as/],
      [
        `${SSH}\n${none}\npackage = { url = "http://x.example/s.deb", sha256 = "${'0'.repeat(64)}" }`,
        /begins with https:/,
      ],
      [
        `${SSH}\n${none}\npackage = { url = "https://x.example/s.deb", sha256 = "0" }`,
        /64 hexadecimal digits/,
      ],
      [`${SSH}\n${none}\nbroker = { url = "http://x", ca = var.ca }`, /broker's address is https/],
      [`${SSH}\n${none}\nbroker = { url = "https://x", ca = "x" }`, /one or more certificates/],
    ] as const) {
      await write(w, inputs);
      assert.match(await w.refused(), wanted, inputs);
    }
  });

  it('makes user data with a join code only where there is one, and keeps it out of what stays', async function () {
    const [driver] = drivers();
    if (driver?.program === undefined) this.skip();
    const w = await open(driver!);
    await write(
      w,
      `${SSH}\nenvironment = {}`,
      'output "code" {\n  value = module.vm.cloud_init_with_code\n}',
    );
    assert.match(await w.refused(), /[Ee]phemeral/);
  });
});
