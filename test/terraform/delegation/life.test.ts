import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terraformPrograms } from '../../../setup/terraform.mjs';
import { DESTROY, openStage, SHOP, type Stage } from './stage.ts';

describe('the module delegation, applied by OpenTofu to a real Vault', function () {
  this.timeout(180_000);
  let stage: Stage;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    stage = await openStage();
  });
  after(() => stage?.[Symbol.asyncDispose]());

  /** Nothing to find for doctor, and nothing to do for another apply. */
  const assertSettled = async () => {
    assert.ok(await stage.workspace.isDone());
    assert.deepEqual(await stage.findings(), []);
  };

  it('leaves doctor nothing to find, the second plan empty, and `signet delegate` nothing to write', async () => {
    await stage.apply({ 'shop-prod': SHOP });
    await assertSettled();
    const shown = await stage.delegate('show', 'shop-prod');
    assert.deepEqual(await stage.workspace.output('delegations'), { 'shop-prod': shown });
    assert.deepEqual(await stage.workspace.output('environment'), {
      'shop-prod': { SIGNET_DELEGATION: 'shop-prod', TFC_WORKLOAD_IDENTITY_AUDIENCE: 'signet' },
    });
    assert.deepEqual(await stage.missingOfShop(), []);
  });

  it('changes a delegation in place', async () => {
    const held = (await stage.redeem()).body.token;
    const terraform = { ...SHOP.terraform, workspace: 'ws-other' };
    await stage.apply({ 'shop-prod': { ...SHOP, terraform, id_prefixes: ['ns/shop/web/eu/'], ttl: '10m' } });
    await assertSettled();
    assert.equal((await stage.redeem()).body.code, 'run_not_delegated');
    assert.equal(await stage.register(held, 'web-two', 'ns/shop/web/two'), '403 vault_denied');
    const { status, body } = await stage.redeem(await stage.token({ terraform_workspace_id: 'ws-other' }));
    assert.equal(status, 201);
    assert.ok(Date.parse(body.expires_at) <= Date.now() + 600_000);
    assert.equal(await stage.register(body.token, 'web-two', 'ns/shop/web/eu/two'), '201');
    await stage.apply({ 'shop-prod': SHOP });
    assert.deepEqual(await stage.missingOfShop(), []);
  });

  it('makes several at one issuer: of a CI, of Ansible, for a whole tenant; and takes out what is gone', async () => {
    const { request } = stage.site.vault;
    const ca = String((await request('GET', 'signet-pki-root/ca/pem')).body).trim();
    const networks = ['10.1.0.1/32', '10.2.0.0/16', '2001:db8::1/128', '2001:db8:1::/48'];
    const ci = { repository_id: '123456', ref: 'refs/heads/main' };
    const jobs = { claims: ci, tenant: 'globex', id_prefixes: ['ns/globex/'], audience: 'deploy', ttl: '4h' };
    const hosts = {
      ...{ ansible: { sub: 'job-1' }, tenant: 'acme/shop' },
      ...{ id_prefixes: ['ns/shop/host/'], entries: 'host-', networks },
    };
    await stage.apply({ 'shop-prod': SHOP, jobs, hosts }, { issuer: { name: 'ci', ca: `\n${ca}\n\n` } });
    await assertSettled();
    assert.deepEqual((await stage.workspace.output('environment')).jobs, { SIGNET_DELEGATION: 'jobs' });
    const file = join(stage.workspace.dir, 'ca.pem');
    await writeFile(file, ca);
    const where = ['--issuer-name', 'ci', '--issuer-ca', file];
    const asked = Object.entries(ci).flatMap(([name, value]) => ['--claim', `${name}=${value}`]);
    const whole = ['--tenant', 'globex', '--prefix', 'ns/globex/', '--audience', 'deploy', '--ttl', '4h'];
    assert.deepEqual(await stage.missing('ci', 'jobs', ...where, ...asked, ...whole), []);
    const part = ['--tenant', 'acme/shop', '--prefix', 'ns/shop/host/', '--entries', 'host-'];
    const bound = networks.flatMap((network) => ['--network', network]);
    const job = ['--claim', 'sub=job-1', ...part, ...bound];
    assert.deepEqual(await stage.missing('ansible', 'hosts', ...where, ...job), []);

    await stage.apply({ 'shop-prod': SHOP });
    await assertSettled();
    assert.equal(await stage.status('sys/auth/signet-jwt-ci'), 400, 'the issuer has another name now');
    assert.deepEqual((await stage.delegate('list')).delegations.length, 1);
    assert.equal((await stage.redeem()).status, 201);
  });

  it('ends all of it when it is destroyed: a run is refused at once, and a right that is held opens nothing', async () => {
    const held = (await stage.redeem()).body.token;
    assert.equal(await stage.register(held, 'web-three', 'ns/shop/web/three'), '201');
    await stage.workspace.ok(...DESTROY);
    assert.equal((await stage.redeem()).body.code, 'run_not_delegated');
    assert.match(await stage.register(held, 'web-four', 'ns/shop/web/four'), /^403 /);
    assert.equal(await stage.status('sys/auth/signet-jwt-hcp'), 400);
    assert.equal(await stage.status('sys/policies/acl/signet-run-shop-prod_write'), 404);
    assert.equal(await stage.status('signet/metadata/delegations/shop-prod'), 404);
    assert.deepEqual(await stage.findings(), []);
    assert.equal(
      await stage.status('signet/data/entries/acme.shop/web-three'),
      200,
      'what it registered stays',
    );
  });

  it('keeps no token in its state or in what it prints', async () => {
    const { out } = await stage.workspace.ok('state', 'pull');
    for (const text of [out, stage.workspace.printed()]) assert.doesNotMatch(text, /hv[sb]\.|PRIVATE KEY/);
  });
});
