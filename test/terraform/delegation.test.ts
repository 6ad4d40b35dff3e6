import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { hostEntry, openSite, type Site, type TestBroker } from '../broker/site.ts';
import { signet } from '../cli/signet.ts';
import { RUN, RunIssuer } from '../support/run-issuer.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

const PLAIN = ['-input=false', '-no-color'];
const APPLY = ['apply', '-auto-approve', ...PLAIN];
const SHOP = {
  terraform: {
    organization: RUN.terraform_organization_id,
    project: RUN.terraform_project_id,
    workspace: RUN.terraform_workspace_id,
  },
  tenant: 'acme/shop',
  id_prefixes: ['ns/shop/web/'],
  entries: 'web-',
  networks: ['127.0.0.0/8'],
};
const CI = { ci: { repository_id: '123456', ref: 'refs/heads/main' }, tenant: 'globex' };
/** What the provider needs beside `signet-admin`: it works with a token of its own. */
const CHILD_TOKEN = 'path "auth/token/create" { capabilities = ["update"] }';

describe('the module delegation, applied by OpenTofu to a real Vault', function () {
  this.timeout(180_000);
  let site: Site;
  let issuer: RunIssuer;
  let broker: TestBroker;
  let workspace: Workspace;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    [site, issuer] = await Promise.all([openSite(), RunIssuer.start()]);
    await site.vault.request('POST', 'sys/policies/acl/child-token', { policy: CHILD_TOKEN });
    const rootToken = await site.tokenOf('signet-admin', 'child-token');
    broker = await site.startBroker();
    workspace = await openWorkspace({ address: site.vault.address, rootToken });
  });
  after(async () => {
    await workspace?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const write = async (delegations: object, more: { issuer?: object; import?: object[] } = {}) => {
    const url = { url: issuer.url, jwks_url: issuer.jwksUrl };
    const runs = { source: './modules/delegation', issuer: { ...url, ...more.issuer }, delegations };
    const configuration = {
      module: { runs },
      output: Object.fromEntries(
        ['delegations', 'environment'].map((name) => [name, { value: `\${module.runs.${name}}` }]),
      ),
      ...(more.import === undefined ? {} : { import: more.import }),
    };
    await writeFile(join(workspace.dir, 'main.tf.json'), JSON.stringify(configuration));
  };
  const apply = async (...args: Parameters<typeof write>) => {
    await write(...args);
    await workspace.ok('init', ...PLAIN);
    await workspace.ok(...APPLY);
  };
  const env = () => ({ VAULT_ADDR: site.vault.address, VAULT_TOKEN: site.vault.rootToken });
  const ran = async (...args: string[]) => {
    const { status, stdout, stderr } = await signet(args, { env: env() });
    assert.ok(status === 0 || args[0] === 'vault', stderr);
    return JSON.parse(stdout);
  };
  const findings = async () => (await ran('vault', 'doctor', '--json')).findings;
  /** The same by `signet delegate`: what it would still write. */
  const missing = async (kind: string, name: string, ...args: string[]) => {
    const where = ['--issuer', issuer.url, '--jwks-url', issuer.jwksUrl];
    return (await ran('delegate', kind, name, ...where, ...args, '--json')).changes;
  };
  const shopAsCommand = (...more: string[]) =>
    missing(
      'terraform',
      'shop-prod',
      ...['--organization', SHOP.terraform.organization, '--project', SHOP.terraform.project],
      ...['--workspace', SHOP.terraform.workspace, '--tenant', 'acme/shop', '--network', '127.0.0.0/8'],
      ...more,
    );
  const redeem = async (claims: Parameters<RunIssuer['token']>[0] = {}, name = 'shop-prod') =>
    broker.call('POST', `/v1/delegations/${name}`, { token: await issuer.token(claims) });
  const register = async (token: string, name: string, path: string) => {
    const match = { 'join:entry': `acme/shop/${name}` };
    const entry = hostEntry(name, match, { spiffe_id: `spiffe://example.org/${path}` });
    const { status, body } = await broker.call('POST', '/v1/entries', entry, token);
    return `${status} ${body?.code ?? ''}`.trim();
  };
  const there = async (path: string) => (await site.vault.request('GET', path)).status;

  it('leaves doctor nothing to find, the second plan empty, and `signet delegate` nothing to write', async () => {
    await apply({ 'shop-prod': SHOP });
    assert.ok(await workspace.isDone());
    assert.deepEqual(await findings(), []);
    const shown = await ran('delegate', 'show', 'shop-prod', '--json');
    assert.deepEqual(await workspace.output('delegations'), { 'shop-prod': shown });
    assert.deepEqual(await workspace.output('environment'), {
      'shop-prod': { SIGNET_DELEGATION: 'shop-prod', TFC_WORKLOAD_IDENTITY_AUDIENCE: 'signet' },
    });
    assert.deepEqual(await shopAsCommand('--prefix', 'ns/shop/web/', '--entries', 'web-'), []);
  });

  it('lets a run register within the delegation and not outside, and its plan look', async () => {
    const { status, body } = await redeem();
    assert.equal(status, 201, JSON.stringify(body));
    assert.equal(body.access, 'write');
    assert.equal(await register(body.token, 'web-one', 'ns/shop/web/eu/one'), '201');
    assert.equal(await register(body.token, 'web-two', 'ns/shop/sa/orders'), '403 vault_denied');
    assert.equal(await register(body.token, 'orders', 'ns/shop/web/orders'), '403 vault_denied');
    const looking = (await redeem({ terraform_run_phase: 'plan' })).body;
    assert.equal(looking.access, 'read');
    assert.equal(await register(looking.token, 'web-three', 'ns/shop/web/three'), '403 vault_denied');
    const found = await broker.call('GET', '/v1/entries/acme.shop/web-one', undefined, looking.token);
    assert.equal(found.status, 200);
    for (const claims of [{ terraform_workspace_id: 'ws-other' }, { terraform_run_phase: 'destroy' }])
      assert.equal((await redeem(claims)).body.code, 'run_not_delegated');
  });

  it('changes a delegation in place', async () => {
    const held = (await redeem()).body.token;
    const narrower = { ...SHOP, id_prefixes: ['ns/shop/web/eu/'], ttl: '10m' };
    const other = { ...SHOP.terraform, workspace: 'ws-other' };
    await apply({ 'shop-prod': { ...narrower, terraform: other } });
    assert.ok(await workspace.isDone());
    assert.deepEqual(await findings(), []);
    assert.equal((await redeem()).body.code, 'run_not_delegated');
    assert.equal(
      await register(held, 'web-four', 'ns/shop/web/four'),
      '403 vault_denied',
      'it holds at once',
    );
    const { status, body } = await redeem({ terraform_workspace_id: 'ws-other' });
    assert.equal(status, 201);
    assert.ok(Date.parse(body.expires_at) <= Date.now() + 600_000);
    assert.equal(await register(body.token, 'web-four', 'ns/shop/web/eu/four'), '201');
    await apply({ 'shop-prod': SHOP });
    assert.deepEqual(await shopAsCommand('--prefix', 'ns/shop/web/', '--entries', 'web-'), []);
  });

  it('makes several at one issuer: of a CI, of Ansible, for a whole tenant; and takes out what is gone', async () => {
    const ca = (await site.vault.request('GET', 'signet-pki-root/ca/pem')).body;
    const jobs = { ...CI, id_prefixes: ['ns/globex/'], audience: 'deploy', ttl: '4h' };
    const networks = ['10.1.0.1/32', '10.2.0.0/16', '2001:db8::1/128', '2001:db8:1::/48'];
    const hosts = {
      ansible: { sub: 'job-1' },
      ...{ tenant: 'acme/shop', id_prefixes: ['ns/shop/host/'], entries: 'host-', networks },
    };
    await apply(
      { 'shop-prod': SHOP, jobs, hosts },
      { issuer: { name: 'hcp', ca: `\n${String(ca).trim()}\n\n` } },
    );
    assert.ok(await workspace.isDone());
    assert.deepEqual(await findings(), []);
    await writeFile(join(workspace.dir, 'ca.pem'), `${ca}`);
    const where = ['--issuer-name', 'hcp', '--issuer-ca', join(workspace.dir, 'ca.pem')];
    const claims = Object.entries(CI.ci).flatMap(([name, value]) => ['--claim', `${name}=${value}`]);
    assert.deepEqual(
      await missing(
        'ci',
        'jobs',
        ...where,
        ...claims,
        '--tenant',
        'globex',
        '--prefix',
        'ns/globex/',
        '--audience',
        'deploy',
        '--ttl',
        '4h',
      ),
      [],
    );
    const named = ['--tenant', 'acme/shop', '--prefix', 'ns/shop/host/', '--entries', 'host-'];
    const bound = networks.flatMap((network) => ['--network', network]);
    assert.deepEqual(
      await missing('ansible', 'hosts', ...where, '--claim', 'sub=job-1', ...named, ...bound),
      [],
    );
    assert.deepEqual((await workspace.output('environment')).jobs, { SIGNET_DELEGATION: 'jobs' });

    await apply({ 'shop-prod': SHOP });
    assert.ok(await workspace.isDone());
    assert.deepEqual(await findings(), [], 'nothing of jobs and hosts is left');
    assert.deepEqual(await shopAsCommand('--prefix', 'ns/shop/web/', '--entries', 'web-'), []);
  });

  it('shows what somebody changed by hand, and takes it back', async () => {
    const role = 'auth/signet-jwt-hcp/role/shop-prod_write';
    const before = (await site.vault.request('GET', role)).body.data;
    const claims = { terraform_organization_id: SHOP.terraform.organization };
    await site.vault.request('POST', role, { ...before, bound_claims: claims });
    await site.vault.request('POST', 'sys/policies/acl/signet-run-shop-prod_read', { policy: CHILD_TOKEN });
    assert.equal((await findings()).length, 2);
    assert.equal(await workspace.isDone(), false);
    await workspace.ok(...APPLY);
    assert.deepEqual(await findings(), []);

    const path = 'signet/data/delegations/shop-prod';
    const { data, metadata } = (await site.vault.request('GET', path)).body.data;
    await site.vault.request('POST', path, {
      data: { ...data, networks: [] },
      options: { cas: metadata.version },
    });
    assert.equal(await workspace.isDone(), false);
    const refused = await workspace.run(...APPLY);
    assert.match(
      refused.err,
      /check-and-set/,
      'what others wrote is written over by nothing that does not name it',
    );
    await workspace.ok(...APPLY, '-replace=module.runs.vault_generic_endpoint.history["shop-prod"]');
    assert.ok(await workspace.isDone());
    assert.deepEqual(await findings(), []);
  });

  it('makes anew what `signet delegate delete` took away', async () => {
    await ran('delegate', 'delete', 'shop-prod', '--json');
    assert.equal((await redeem()).body.code, 'run_not_delegated');
    await workspace.ok(...APPLY);
    assert.ok(await workspace.isDone());
    assert.equal((await redeem()).status, 201);
  });

  it('refuses what reaches beyond the tenant of the layout, before anything is written', async () => {
    const cases = [
      [{ tenant: 'acme/none' }, /acme\/none is not a tenant of the layout/],
      [{ id_prefixes: ['ns/globex/'] }, /not below a prefix of its tenant/],
      [{ entries: '' }, /IDs of other are narrower than those of its tenant and entries are not/],
    ] as const;
    for (const [change, wanted] of cases) {
      await write({ 'shop-prod': SHOP, other: { ...SHOP, ...change } });
      const { code, err } = await workspace.run(...APPLY);
      assert.equal(code, 1);
      assert.match(err.replaceAll(/[│╷╵\s]+/g, ' '), wanted);
      assert.equal(await there('sys/policies/acl/signet-run-other_write'), 404);
    }
    await apply({ 'shop-prod': SHOP });
  });

  it('ends all of it when it is destroyed: a run is refused at once, and a right that is held opens nothing', async () => {
    const held = (await redeem()).body.token;
    assert.equal(await register(held, 'web-five', 'ns/shop/web/five'), '201');
    await workspace.ok('destroy', '-auto-approve', ...PLAIN);
    assert.equal((await redeem()).body.code, 'run_not_delegated');
    assert.match(await register(held, 'web-six', 'ns/shop/web/six'), /^403 /);
    for (const path of ['sys/auth/signet-jwt-hcp', 'sys/policies/acl/signet-run-shop-prod_write'])
      assert.notEqual(await there(path), 200, path);
    assert.equal(await there('signet/metadata/delegations/shop-prod'), 404);
    assert.deepEqual(await findings(), []);
    assert.equal(await there('signet/data/entries/acme.shop/web-five'), 200, 'what it registered stays');
  });

  it('takes over what `signet delegate` made, by importing it, and refuses to without', async () => {
    await shopAsCommand('--prefix', 'ns/shop/web/', '--entries', 'web-');
    await write({ 'shop-prod': SHOP });
    assert.match((await workspace.run(...APPLY)).err, /path is already in use/);
    await workspace.ok('destroy', '-auto-approve', ...PLAIN);
    await shopAsCommand('--prefix', 'ns/shop/web/', '--entries', 'web-');
    const imported = [
      { to: 'module.runs.vault_auth_backend.issuer', id: 'signet-jwt-hcp' },
      {
        to: 'module.runs.vault_generic_endpoint.history["shop-prod"]',
        id: 'signet/metadata/delegations/shop-prod',
      },
    ];
    await apply({ 'shop-prod': SHOP }, { import: imported });
    assert.ok(await workspace.isDone());
    assert.deepEqual(await findings(), []);
    assert.equal((await redeem()).status, 201);
  });

  it('keeps no token in its state or in what it prints', async () => {
    const { out } = await workspace.ok('state', 'pull');
    for (const text of [out, workspace.printed()]) assert.doesNotMatch(text, /hv[sb]\.|PRIVATE KEY/);
  });
});
