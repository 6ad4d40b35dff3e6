import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { hostEntry } from '../../broker/site.ts';
import { type AwsSigner, identityDocument, type TestAws, testAws } from '../../support/aws.ts';
import { type SshKeygen, sshKeygen } from '../../support/ssh-keygen.ts';
import { drivers } from '../provider/workspace.ts';
import { openStage, type Stage, type Workspace } from './stage.ts';

const KEY = 'SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8';

describe('the provider signet/signet, with the real broker and the real Vault', function () {
  this.timeout(180_000);
  let stage: Stage;
  let ssh: SshKeygen;
  let aws: TestAws;
  let signer: AwsSigner;
  before(async () => {
    aws = await testAws();
    signer = await aws.signer('eu-central-1');
    const told = { SIGNET_AWS_CERTIFICATES: `eu-central-1=${signer.certificate}` };
    [stage, ssh] = await Promise.all([openStage(told), sshKeygen()]);
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
    await aws?.[Symbol.asyncDispose]();
  });
  const call = (method: string, name: string, body?: object, verb = '') =>
    stage.broker.call(method, `/v1/entries/acme.shop/${name}${verb}`, body, stage.site.registrar.shop);
  const entry = (label: string, more: string, name = label) => `resource "signet_entry" "${label}" {
  tenant    = "acme/shop"
  name      = "${name}"
  spiffe_id = "spiffe://example.org/ns/shop/sa/${name}"
${more}
}
`;
  const host = (label: string, more: string) => entry(label, more).replace('signet_entry', 'signet_host');

  for (const driver of drivers())
    describe(`by ${driver.name}`, () => {
      const on = driver.name.toLowerCase();
      let w: Workspace;
      before(async function () {
        if (driver.program === undefined) this.skip();
        w = await stage.open(driver, { VAULT_TOKEN: stage.site.registrar.shop });
      });

      it('registers an entry, plans nothing more, changes it in place, shows drift and mends it, and removes it', async () => {
        const name = `life-${on}`;
        const match = (key: string) => `  match = { "ssh-host:key" = "SHA256:${key}-${on}" }`;
        await w.write(entry('life', match('one'), name));
        await w.apply();
        assert.equal((await call('GET', name)).body.state, 'active');
        assert.ok(await w.isDone());
        await w.write(entry('life', `${match('two')}\n  ttl = "1h"\n  networks = ["127.0.0.0/8"]`, name));
        const changed = await w.apply();
        assert.match(changed.out, /0 added, 1 changed, 0 destroyed/);
        const { body } = await call('GET', name);
        assert.deepEqual([body.match['ssh-host:key'], body.ttl], [`SHA256:two-${on}`, '1h']);
        assert.ok(await w.isDone());
        await call('POST', name, {}, '/disable');
        assert.equal(await w.isDone(), false, 'somebody disabled it');
        await w.apply();
        assert.equal((await call('GET', name)).body.state, 'active');
        await call('DELETE', name);
        assert.equal(await w.isDone(), false, 'somebody deleted it');
        await w.apply();
        await w.write('');
        await w.apply();
        assert.equal((await call('GET', name)).status, 404);
      });

      it('expects a machine by its SSH key, whom the broker then knows, and no longer when it is destroyed', async () => {
        const key = await ssh.newKey(`vm-${on}`);
        const line = (await readFile(`${key.file}.pub`, 'utf8')).trim();
        await w.write(host(`vm-${on}`, `  ssh_host_key = "${line}"\n  appear_within = "24h"`));
        await w.apply();
        const { appear_by } = await w.state(`signet_host.vm-${on}`);
        assert.ok(Math.abs(Date.parse(appear_by) - Date.now() - 86_400_000) < 600_000, appear_by);
        assert.ok(await w.isDone());
        const show = async () => {
          using client = await stage.broker.connect();
          const reply = await client.attest('ssh-host', async (proof) => ({
            signature: await key.sign(proof),
          }));
          return `${reply.status} ${reply.body.spiffe_id ?? reply.body.code}`;
        };
        assert.equal(await show(), `201 spiffe://example.org/ns/shop/sa/vm-${on}`);
        await w.run(['destroy', '-auto-approve', '-input=false', '-no-color']);
        assert.equal(await show(), '403 no_entry');
      });

      it('expects an EC2 instance, whose document and key the broker then takes; imported, it is the same', async () => {
        const name = `ec2-${on}`;
        const instanceId = driver.name === 'OpenTofu' ? 'i-00000000000000001' : 'i-00000000000000002';
        const proof = `account = "123456789012", instance = "${instanceId}"`;
        await w.write(host(name, `  aws = { ${proof}, region = "eu-central-1" }`));
        await w.apply();
        assert.ok(await w.isDone());
        const key = await ssh.newKey(name);
        const pkcs7 = (await signer.sign(identityDocument({ instanceId }))).replaceAll('\n', '');
        const show = async () => {
          using client = await stage.broker.connect();
          const reply = await client.attest('aws', async (proof) => ({
            pkcs7,
            signature: await key.sign(proof),
          }));
          return `${reply.status} ${reply.body.spiffe_id ?? reply.body.code}`;
        };
        assert.equal(await show(), `201 spiffe://example.org/ns/shop/sa/${name}`);
        await w.run(['state', 'rm', `signet_host.${name}`]);
        const args = ['import', '-input=false', '-no-color', `signet_host.${name}`, `acme/shop/${name}`];
        const imported = await w.run(args);
        assert.equal(imported.code, 0, imported.err);
        assert.ok(await w.isDone());
        await w.write(host(name, `  aws = { ${proof}, image = "ami-0000000000000000f" }`));
        assert.match((await w.apply()).out, /0 added, 1 changed, 0 destroyed/);
        assert.equal(await show(), '403 no_entry', 'launched from another image');
        await w.run(['destroy', '-auto-approve', '-input=false', '-no-color']);
        assert.equal((await call('GET', name)).status, 404);
      });

      it('takes over what is there by import', async () => {
        const name = `there-${on}`;
        const made = hostEntry(name, { 'ssh-host:key': KEY.replace('nTh', on.slice(0, 3)) });
        await stage.broker.call('POST', '/v1/entries', made, stage.site.registrar.shop);
        await w.write(
          host('there', `  ssh_host_key = "${KEY.replace('nTh', on.slice(0, 3))}"`)
            .replaceAll('"there"', `"${name}"`)
            .replace(/sa\/there/, `sa/${name}`)
            .replace(`"signet_host" "${name}"`, '"signet_host" "there"'),
        );
        const imported = await w.run([
          'import',
          '-input=false',
          '-no-color',
          'signet_host.there',
          `acme/shop/${name}`,
        ]);
        assert.equal(imported.code, 0, imported.err);
        assert.ok(await w.isDone());
        await w.run(['destroy', '-auto-approve', '-input=false', '-no-color']);
        assert.equal((await call('GET', name)).status, 404);
      });

      it('tells what is wrong at the attribute, before anything is asked', async () => {
        const flaws: [configuration: string, wanted: RegExp][] = [
          [
            entry('x', '  match = {}'),
            /on main.tf line \d+, in resource "signet_entry" "x": \d+: match = \{\} An entry that asks for nothing/,
          ],
          [
            entry('x', '  match = { "k8s:ns" = "a", "join:entry" = "b" }'),
            /: match = .* and not k8s and join|and not join and k8s/,
          ],
          [
            entry('x', '  match = { "ssh-host:key" = "a" }\n  ttl = "900"'),
            /: ttl = "900" A lifetime is a number/,
          ],
          [
            host('x', '  aws = { account = "12", instance = "i-00000000" }'),
            /An account of AWS is 12 digits/,
          ],
          [host('x', '  aws = { account = "123456789012" }'), /instance/],
          [host('x', ''), /No proof .* set one of ssh_host_key/],
          [
            host('x', `  ssh_host_key = "${KEY}"\n  join = true`),
            /: join = true A host has one: ssh_host_key/,
          ],
          [host('x', '  ssh_host_key = "no key"'), /: ssh_host_key = "no key" It is neither/],
          [
            host('x', '  join = true\n  appear_by = "2030-01-01T00:00:00Z"\n  appear_within = "1h"'),
            /: appear_within = "1h" appear_by is reckoned/,
          ],
          [
            entry('X', '  match = { "ssh-host:key" = "a" }').replace('"acme/shop"', '"Acme"'),
            /: tenant = "Acme" A tenant is/,
          ],
        ];
        for (const [configuration, wanted] of flaws) {
          await w.write(configuration);
          assert.match(await w.refused({}, 'validate', '-no-color'), wanted);
        }
      });

      it('says so of what is known later once it is', async () => {
        const variables = ['key', 'join', 'by', 'within']
          .map((name) => `variable "${name}" {\n  default = null\n}\n`)
          .join('');
        const times = '  appear_by = var.by\n  appear_within = var.within';
        await w.write(`${variables}${host('x', `  ssh_host_key = var.key\n  join = var.join\n${times}`)}`);
        const valid = await w.run(['validate', '-no-color']);
        assert.equal(valid.code, 0, valid.err);
        const key = { TF_VAR_key: KEY };
        for (const [env, wanted] of [
          [{}, /No proof/],
          [{ ...key, TF_VAR_join: 'true' }, /: join = var.join .*A host has one: ssh_host_key/],
          [{ ...key, TF_VAR_by: '2030-01-01T00:00:00Z', TF_VAR_within: '1h' }, /appear_by is reckoned/],
        ] as const)
          assert.match(await w.refused(env, 'plan', '-input=false', '-no-color'), wanted);
      });

      it('tells what the broker refuses, at the attribute', async () => {
        const taken = hostEntry(`taken-${on}`, { 'ssh-host:key': `SHA256:taken-${on}` });
        await stage.broker.call('POST', '/v1/entries', taken, stage.site.registrar.shop);
        const match = (key: string) => `  match = { "ssh-host:key" = "SHA256:${key}-${on}" }`;
        const refusals: [configuration: string, wanted: RegExp][] = [
          [entry('x', match('other'), `taken-${on}`), /already, which differs .*: name = .* import it: /],
          [entry('x', match('taken'), `second-${on}`), /could be taken for two .*: match = /],
          [
            entry('x', match('far'), `far-${on}`).replace('example.org/', 'example.com/'),
            /: spiffe_id = .* is not in the trust domain/,
          ],
          [
            entry('x', match('out'), `out-${on}`).replace('"acme/shop"', '"globex"'),
            /may not do that .*: tenant = "globex" Vault denies it/,
          ],
          [entry('x', '  match = { "cloud:account" = "1" }', `kind-${on}`), /: match = /],
        ];
        for (const [configuration, wanted] of refusals) {
          await w.write(configuration);
          assert.match(await w.refused(), wanted);
        }
        assert.equal((await call('GET', `second-${on}`)).status, 404);
        await call('DELETE', `taken-${on}`);
      });

      it('reads entries, the authorities and how the broker is', async () => {
        await w.write(`${entry('read', `  match = { "ssh-host:key" = "SHA256:read-${on}" }`)}
data "signet_entry" "read" {
  tenant = "acme/shop"
  name   = signet_entry.read.name
}
data "signet_bundle" "all" {}
data "signet_status" "now" {}
`);
        await w.apply();
        assert.deepEqual((await w.state('data.signet_entry.read')).match, {
          'ssh-host:key': `SHA256:read-${on}`,
        });
        const bundle = await w.state('data.signet_bundle.all');
        assert.deepEqual([bundle.trust_domain, bundle.certificates.length >= 1], ['example.org', true]);
        assert.match(bundle.certificates[0], /BEGIN CERTIFICATE/);
        assert.deepEqual(await w.state('data.signet_status.now'), { ready: true, waiting_for: [] });
        await w.write('');
        await w.apply();
      });

      it('makes a join code that is good once, and in no state', async () => {
        const name = `joining-${on}`;
        await w.write(`${host(name, '  join = true')}
ephemeral "signet_join" "code" {
  host = signet_host.${name}.id
}
resource "terraform_data" "hand-over" {
  provisioner "local-exec" {
    command     = "printf %s \\"$CODE\\" > code"
    environment = { CODE = ephemeral.signet_join.code.code }
  }
}
`);
        await w.apply();
        const code = await readFile(`${w.dir}/code`, 'utf8');
        const join = async () => {
          using client = await stage.broker.connect();
          const reply = await client.attest('join', async () => ({ code }));
          return `${reply.status} ${reply.body.spiffe_id ?? reply.body.code}`;
        };
        assert.equal(await join(), `201 spiffe://example.org/ns/shop/sa/${name}`);
        assert.equal(await join(), '403 attestation_refused');
        assert.ok(!(await w.stateText()).includes(code));
        assert.ok(!w.printed().includes(code));
        await w.write('');
        await w.apply();
      });

      it('says who is missing, and who is not believed', async () => {
        await w.write(entry('x', '  match = { "ssh-host:key" = "a" }'));
        const nobody = await stage.open(driver);
        await nobody.write(entry('x', '  match = { "ssh-host:key" = "a" }'));
        assert.match(await nobody.refused(), /No right to register .*Set delegation/);
        assert.match(
          await nobody.refused({ VAULT_TOKEN: 'x', SIGNET_BROKER_URL: '' }),
          /broker is not set .*SIGNET_BROKER_URL/,
        );
        assert.match(
          await nobody.refused({ VAULT_TOKEN: 'x', SIGNET_TRUST_DOMAIN: 'example.com' }),
          /not the broker .*BROKER_UNTRUSTED/,
        );
        assert.match(await nobody.refused({ VAULT_TOKEN: 'hvs.none' }), /may not do that/);
      });
    });
});
