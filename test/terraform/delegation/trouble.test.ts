import assert from 'node:assert/strict';
import { terraformPrograms } from '../../../setup/terraform.mjs';
import { APPLY, DESTROY, openStage, SHOP, type Stage } from './stage.ts';

const DOCUMENT = 'signet/data/delegations/shop-prod';
const MENDED = '-replace=module.runs.vault_generic_endpoint.history["shop-prod"]';
const IMPORTED = [
  { to: 'module.runs.vault_auth_backend.jwt', id: 'signet-jwt-hcp' },
  {
    to: 'module.runs.vault_generic_endpoint.history["shop-prod"]',
    id: 'signet/metadata/delegations/shop-prod',
  },
];
const LAYOUT = {
  trust_domain: 'example.org',
  svid_ttls: ['3s', '15m', '1h'],
  tenants: [
    { name: 'acme/shop', id_prefixes: ['ns/shop/'] },
    { name: 'globex', id_prefixes: ['ns/globex/'] },
  ],
  broker: { dns: ['localhost'] },
};
const JOBS = [
  ...(['ci', 'jobs', '--issuer-name', 'hcp', '--claim', 'sub=job-1', '--tenant', 'globex'] as const),
  ...['--prefix', 'ns/globex/', '--network', '127.0.0.0/8'],
] as const;

describe('the module delegation, where others were there', function () {
  this.timeout(180_000);
  let stage: Stage;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    stage = await openStage();
  });
  after(() => stage?.[Symbol.asyncDispose]());

  const apply = () => stage.workspace.run(...APPLY);
  const assertSettled = async () => {
    assert.ok(await stage.workspace.isDone());
    assert.deepEqual(await stage.findings(), []);
    assert.equal((await stage.redeem()).status, 201);
  };

  it('takes over what `signet delegate` made, by importing it, and refuses to without', async () => {
    await stage.missingOfShop();
    await stage.write({ 'shop-prod': SHOP });
    await stage.workspace.ok('init', '-input=false');
    assert.match((await apply()).err, /path is already in use/);
    assert.equal((await stage.redeem()).status, 201, 'nobody has lost a right');
    await stage.write({ 'shop-prod': SHOP }, { import: IMPORTED });
    await stage.workspace.ok(...APPLY, MENDED);
    await assertSettled();
    await stage.workspace.ok(...DESTROY);
    await stage.missingOfShop();
    await stage.apply({ 'shop-prod': SHOP }, { import: IMPORTED });
    await assertSettled();
    await stage.write({ 'shop-prod': SHOP });
  });

  it('shows a role and a policy that somebody changed by hand, and takes them back', async () => {
    const { request } = stage.site.vault;
    const role = 'auth/signet-jwt-hcp/role/shop-prod_write';
    const before = (await request('GET', role)).body.data;
    const claims = { terraform_organization_id: SHOP.terraform.organization };
    await request('POST', role, { ...before, bound_claims: claims });
    const policy = 'path "signet/data/entries/*" { capabilities = ["create"] }';
    await request('POST', 'sys/policies/acl/signet-run-shop-prod_read', { policy });
    assert.equal((await stage.findings()).length, 2);
    assert.equal(await stage.workspace.isDone(), false);
    await stage.workspace.ok(...APPLY);
    await assertSettled();
  });

  it('shows a document that somebody wrote, writes over it only when told to, and takes it back then', async () => {
    const { request } = stage.site.vault;
    const { data, metadata } = (await request('GET', DOCUMENT)).body.data;
    const other = { ...data, networks: [] };
    await request('POST', DOCUMENT, { data: other, options: { cas: metadata.version } });
    assert.equal(await stage.workspace.isDone(), false);
    assert.match((await apply()).err, /check-and-set parameter did not match/);
    assert.deepEqual((await request('GET', DOCUMENT)).body.data.data, other);
    await stage.workspace.ok(...APPLY, MENDED);
    await assertSettled();
  });

  it('mends an apply that wrote the document and could not tell', async () => {
    await stage.workspace.ok('state', 'rm', 'module.runs.vault_generic_endpoint.document["shop-prod"]');
    assert.match((await apply()).err, /check-and-set parameter did not match/);
    await stage.workspace.ok(...APPLY, MENDED);
    await assertSettled();
  });

  it('makes anew what `signet delegate delete` took away', async () => {
    await stage.delegate('delete', 'shop-prod');
    const token = await stage.token();
    assert.equal((await stage.redeem(token)).body.code, 'run_not_delegated');
    await stage.workspace.ok(...APPLY);
    assert.equal((await stage.redeem(token)).status, 201, 'that did not spend it');
    await assertSettled();
  });

  it('leaves what `signet delegate` makes at the same issuer', async () => {
    assert.equal((await stage.missing(...JOBS)).length, 3, 'policy, role and document');
    await assertSettled();
    await stage.apply({ 'shop-prod': { ...SHOP, ttl: '20m' } });
    assert.deepEqual(await stage.missing(...JOBS), []);
    await assertSettled();
    await stage.delegate('delete', 'jobs');
    await assertSettled();
  });

  it('follows a layout that changes, and refuses one that it reaches beyond', async () => {
    await stage.apply({ 'shop-prod': { ...SHOP, networks: undefined } });
    const networks = ['127.0.0.0/8', '10.0.0.0/8'];
    await stage.lay({ ...LAYOUT, svid_ttls: ['15m', '2h'], broker: { dns: ['localhost'], networks } });
    assert.equal(await stage.workspace.isDone(), false);
    await stage.workspace.ok(...APPLY);
    await assertSettled();
    assert.deepEqual((await stage.workspace.output('delegations'))['shop-prod'].networks, networks);
    await stage.write({ 'shop-prod': SHOP });
    const [shop, globex] = LAYOUT.tenants;
    await stage.lay({ ...LAYOUT, tenants: [{ ...shop, id_prefixes: ['ns/shop/api/'] }, globex] });
    assert.match((await apply()).err, /is not below one of acme\/shop/);
    await stage.lay(LAYOUT);
    await stage.workspace.ok(...APPLY);
    await assertSettled();
  });

  const beyond = [
    ['another tenant', { tenant: 'acme/none' }, /acme\/none is not a tenant of the layout/],
    ['IDs of another tenant', { id_prefixes: ['ns/globex/'] }, /is not below one of acme\/shop/],
    [
      'IDs that are narrower than the entries',
      { entries: '' },
      /IDs of other are narrower than those of acme\/shop/,
    ],
  ] as const;
  for (const [what, change, wanted] of beyond)
    it(`refuses ${what}, before anything is written`, async () => {
      await stage.write({ 'shop-prod': SHOP, other: { ...SHOP, ...change } });
      const { code, err } = await apply();
      assert.equal(code, 1);
      assert.match(err.replaceAll(/[│╷╵\s]+/g, ' '), wanted);
      assert.equal(await stage.status('sys/policies/acl/signet-run-other_write'), 404);
    });

  it('takes the log-in of all delegations of its issuer with it, which doctor tells', async () => {
    await stage.missing(...JOBS);
    await stage.workspace.ok(...DESTROY);
    const ids = new Set((await stage.findings()).map(({ id }) => id));
    assert.deepEqual([...ids], ['delegation.no_login']);
  });
});
