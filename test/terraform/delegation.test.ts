import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { hostEntry, openSite, type Site, type TestBroker } from '../broker/site.ts';
import { signet } from '../cli/signet.ts';
import { RUN, RunIssuer } from '../support/run-issuer.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

const PLAIN = ['-input=false', '-no-color'];
/** As the site's Vault has it. */
const LAYOUT = {
  svid_ttls: ['3s', '15m', '1h'],
  tenants: [
    { name: 'acme/shop', id_prefixes: ['ns/shop/'] },
    { name: 'globex', id_prefixes: ['ns/globex/'] },
  ],
};
const WORKSPACE = {
  organization: RUN.terraform_organization_id,
  project: RUN.terraform_project_id,
  workspace: RUN.terraform_workspace_id,
};
const SHOP = {
  ...{ tenant: 'acme/shop', id_prefixes: ['ns/shop/web/'], entries: 'web-' },
  ...{ terraform: WORKSPACE, networks: ['127.0.0.0/8'] },
};

describe('the module delegation', function () {
  this.timeout(180_000);
  let site: Site;
  let broker: TestBroker;
  let issuer: RunIssuer;
  let w: Workspace;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    [site, issuer] = await Promise.all([openSite(), RunIssuer.start()]);
    broker = await site.startBroker();
    w = await openWorkspace(site.vault);
    await write({});
    await w.ok('init', ...PLAIN);
  });
  after(async () => {
    await w?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const write = (delegations: object, inputs: object = {}) =>
    writeFile(
      join(w.dir, 'main.tf.json'),
      JSON.stringify({
        module: {
          hcp: {
            source: './modules/delegation',
            layout: LAYOUT,
            issuer: { name: 'hcp', url: issuer.url, jwks_url: issuer.jwksUrl },
            delegations,
            ...inputs,
          },
        },
      }),
    );
  const apply = async (delegations: object) => {
    await write(delegations);
    await w.ok('apply', '-auto-approve', ...PLAIN);
    assert.equal(await w.isDone(), true);
  };
  const admin = (...args: string[]) =>
    signet(args, { env: { VAULT_ADDR: site.vault.address, VAULT_TOKEN: site.vault.rootToken } });
  const faultless = async () => {
    const { status, stdout, stderr } = await admin('vault', 'doctor');
    assert.equal(status, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /delegation/);
  };
  const redeem = async (name: string, claims: Parameters<RunIssuer['token']>[0] = {}) =>
    await broker.call('POST', `/v1/delegations/${name}`, { token: await issuer.token(claims) });
  const register = (token: string, name: string, id: string) =>
    broker.call(
      'POST',
      '/v1/entries',
      { ...hostEntry(name, { 'ssh-host:key': `SHA256:${name}` }), spiffe_id: `spiffe://example.org/${id}` },
      token,
    );

  it('makes what signet delegate makes: doctor finds nothing, and the same command would change nothing', async () => {
    await apply({ 'shop-prod': SHOP });
    await faultless();
    const again = await admin(
      ...['delegate', 'terraform', 'shop-prod', '--tenant', 'acme/shop', '--prefix', 'ns/shop/web/'],
      ...['--entries', 'web-', '--organization', WORKSPACE.organization, '--project', WORKSPACE.project],
      ...['--workspace', WORKSPACE.workspace, '--network', '127.0.0.0/8'],
      ...['--issuer', issuer.url, '--jwks-url', issuer.jwksUrl, '--json'],
    );
    assert.equal(again.status, 0, again.stderr);
    assert.deepEqual(JSON.parse(again.stdout).changes, []);
  });

  it('lets its runs register below their names and prefixes, and nothing else', async () => {
    const run = await redeem('shop-prod');
    assert.equal(run.status, 201);
    assert.equal((await register(run.body.token, 'web-one', 'ns/shop/web/one')).status, 201);
    assert.equal((await register(run.body.token, 'one', 'ns/shop/web/two')).status, 403);
    assert.equal((await register(run.body.token, 'web-two', 'ns/shop/two')).status, 403);
    const planning = await redeem('shop-prod', { terraform_run_phase: 'plan' });
    assert.equal((await register(planning.body.token, 'web-three', 'ns/shop/web/three')).status, 403);
    const path = '/v1/entries/acme.shop/web-one';
    assert.equal((await broker.call('GET', path, undefined, planning.body.token)).status, 200);
    for (const claims of [{ terraform_workspace_id: 'ws-2' }, { terraform_project_id: 'prj-2' }])
      assert.equal((await redeem('shop-prod', claims)).body.code, 'run_not_delegated');
  });

  it('is changed in place, and holds as many as there are, by claims of their own too', async () => {
    const wider = { ...SHOP, id_prefixes: ['ns/shop/'], entries: '', networks: ['127.0.0.1/32', '::1/128'] };
    const mine = { ...SHOP, terraform: undefined, claims: { terraform_run_id: 'x' } };
    await write({ 'shop-prod': mine });
    assert.match((await w.run('plan', ...PLAIN)).err, /those of HCP Terraform\s+are given by terraform/);
    const byClaims = { ...mine, claims: { sub: RUN.sub }, ttl: '1h' };
    await apply({ 'shop-prod': wider, 'shop-ci': byClaims });
    await faultless();
    const run = await redeem('shop-prod');
    assert.equal((await register(run.body.token, 'any', 'ns/shop/any')).status, 201);
    const other = await redeem('shop-ci');
    assert.equal(other.status, 201);
    assert.equal((await register(other.body.token, 'web-ci', 'ns/shop/web/ci')).status, 201);
    assert.equal((await register(other.body.token, 'ci', 'ns/shop/ci')).status, 403);
  });

  it('refuses what would give more than it says, and names it', async () => {
    const flaws: [change: object, wanted: RegExp][] = [
      [{ entries: '' }, /Say how the names of its entries begin/],
      [{ tenant: 'acme/other' }, /acme\/other is not a tenant of the layout/],
      [{ id_prefixes: ['ns/globex/'] }, /not below one of acme\/shop/],
      [{ id_prefixes: [] }, /has at least one/],
      [{ id_prefixes: ['/ns'] }, /A prefix is a path/],
      [{ claims: { sub: 'x' } }, /in one way/],
      [{ terraform: undefined }, /in one way/],
      [{ terraform: { ...WORKSPACE, workspace: 'ws-*' } }, /given by their ids/],
      [{ terraform: undefined, claims: { sub: 'a*' } }, /without star or blank/],
      [{ ttl: '5h' }, /four hours at most/],
      [{ ttl: '30' }, /ttl is a number/],
      [{ networks: ['10.0.0.1'] }, /written as 10\.1\.0\.0\/16/],
      [{ audience: '*' }, /An audience is/],
    ];
    for (const [change, wanted] of flaws) {
      await write({ 'shop-prod': { ...SHOP, ...change } });
      const ran = await w.run('plan', ...PLAIN);
      assert.equal(ran.code, 1, JSON.stringify(change));
      assert.match(ran.err.replaceAll(/[│╷╵]/g, ' ').replaceAll(/\s+/g, ' '), wanted);
    }
    await write({ 'shop-prod': SHOP }, { issuer: { url: 'http://issuer.example' } });
    assert.match((await w.run('plan', ...PLAIN)).err, /begin with https/);
    await write({ Shop_prod: SHOP });
    assert.match((await w.run('plan', ...PLAIN)).err, /delegation's name is/);
  });

  it('ends a delegation with its part of the module, also for a run that holds its right', async () => {
    await apply({ 'shop-prod': SHOP });
    const run = await redeem('shop-prod');
    await apply({});
    await faultless();
    assert.equal((await register(run.body.token, 'web-late', 'ns/shop/web/late')).status, 403);
    assert.equal((await redeem('shop-prod')).body.code, 'run_not_delegated');
    assert.ok(!w.printed().includes(run.body.token));
  });
});
