import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess } from '../../harness/processes.ts';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { brokerOf, hostEntry, until } from '../broker/site.ts';
import { spendGrant } from '../support/attest-client.ts';
import { sshKeygen } from '../support/ssh-keygen.ts';
import { startVault, type TestVault } from '../support/vault.ts';
import { applyModule, examineBy, NOTHING, openWorkspace, type Workspace } from './workspace.ts';

const INPUTS = {
  trust_domain: 'example.org',
  svid_ttls: ['1h', '15m'],
  tenants: [
    { name: 'acme/shop', id_prefixes: ['ns/shop/', 'device/shop/'] },
    { name: 'acme-2', id_prefixes: ['ns/other/'] },
  ],
  broker: { dns: ['localhost'], networks: ['127.0.0.0/8', '192.0.2.1/32', '2001:db8::1/128'] },
  public_url: 'https://vault.example.org',
  audit_file: '/dev/null',
};

describe('the module vault, applied by OpenTofu to a real Vault', function () {
  this.timeout(120_000);
  let vault: TestVault;
  let workspace: Workspace;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    vault = await startVault();
    workspace = await openWorkspace(vault);
    await applyModule(workspace, INPUTS);
  });
  after(async () => {
    await workspace?.[Symbol.asyncDispose]();
    await vault?.stop();
  });

  const apply = (inputs: object = INPUTS) => applyModule(workspace, inputs);
  const examine = () => examineBy(vault, workspace);

  it('leaves doctor nothing to find, apply nothing to change, and the second plan empty', async () => {
    assert.deepEqual(await examine(), NOTHING);
    assert.ok(await workspace.isDone());
  });

  it('keeps no token and no key, in its state or in what it prints', async () => {
    const state = await readFile(join(workspace.dir, 'terraform.tfstate'), 'utf8');
    for (const text of [state, workspace.printed()]) {
      assert.ok(!text.includes(vault.rootToken));
      assert.doesNotMatch(text, /hv[sb]\.|PRIVATE KEY|"secret_id":/);
    }
  });

  it('sets up a broker, started with what it puts out, that gives a grant', async () => {
    const secret = await vault.request('POST', 'auth/signet-approle/role/broker/secret-id', {});
    const file = join(workspace.dir, 'secret-id');
    await writeFile(file, `${secret.body.data.secret_id}\n`);
    await chmod(file, 0o600);
    const environment: Record<string, string> = await workspace.output('broker_environment');
    await using process = await startProcess({
      args: ['broker'],
      env: {
        ...environment,
        VAULT_ADDR: vault.address,
        SIGNET_VAULT_SECRET_ID_FILE: file,
        SIGNET_LISTEN: '127.0.0.1:0',
        SIGNET_BROKER_DNS: `${environment['SIGNET_BROKER_DNS']},127.0.0.1`,
      },
    });
    const broker = await brokerOf(process, await workspace.output('root_certificate'));
    await until(async () => (await broker.ready()).status === 200);
    await using ssh = await sshKeygen();
    const key = await ssh.newKey('host', 'ed25519');
    const registrar = await vault.request('POST', 'auth/token/create', {
      policies: ['signet-registrar-acme.shop'],
      no_default_policy: true,
    });
    const entry = hostEntry('orders', { 'ssh-host:key': key.fingerprint });
    const made = await broker.call('POST', '/v1/entries', entry, registrar.body.auth.client_token);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    using client = await broker.connect();
    const reply = await client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    assert.match((await spendGrant(vault.request, reply.body)).cert, /BEGIN CERTIFICATE/);
    assert.ok(await workspace.isDone(), 'what broker and registrar wrote is no drift');
  });

  it('follows a layout that changes: a tenant and a lifetime more, one less', async () => {
    const changed = {
      ...INPUTS,
      svid_ttls: ['30m', '15m'],
      tenants: [...INPUTS.tenants, { name: 'globex', id_prefixes: ['ns/globex/'] }],
      broker: {},
    };
    await apply(changed);
    assert.deepEqual(await examine(), NOTHING);
    assert.ok(await workspace.isDone());
    const { body } = await vault.request('GET', 'signet/data/entries/acme.shop/orders');
    assert.equal(body.data.data.name, 'orders', 'registrations stay');
    await apply();
    assert.deepEqual(await examine(), NOTHING);
  });

  const drifts: [what: string, path: string, body: object][] = [
    ['a role that signs any name', 'signet-pki/roles/workload', { allow_any_name: true }],
    ['a policy that allows more', 'sys/policies/acl/signet-broker', { policy: 'path "*" {}' }],
    ['a log in the clear', 'sys/mounts/signet-transit/tune', { audit_non_hmac_request_keys: ['input'] }],
    ['a log-in by role_id alone', 'auth/signet-approle/role/broker', { bind_secret_id: false }],
    ['a key that one call destroys', 'signet-transit/keys/audit/config', { deletion_allowed: true }],
    ['a store without check-and-set', 'signet/config', { cas_required: false }],
  ];
  for (const [what, path, body] of drifts)
    it(`shows ${what} as drift, and takes it back`, async () => {
      const { status } = await vault.request('POST', path, body);
      assert.ok(status < 300);
      assert.equal(await workspace.isDone(), false);
      await apply();
      assert.deepEqual(await examine(), NOTHING);
    });

  it('takes everything away again', async () => {
    await workspace.ok('destroy', '-auto-approve', '-input=false', '-no-color');
    for (const list of ['sys/mounts', 'sys/auth', 'sys/policies/acl?list=true', 'sys/audit'])
      assert.doesNotMatch(JSON.stringify((await vault.request('GET', list)).body.data), /signet-|file/);
  });
});
