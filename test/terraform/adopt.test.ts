import assert from 'node:assert/strict';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { DOCUMENT, type Lab, openLab } from '../vault/lab.ts';
import { examineBy, NOTHING, openWorkspace, type Workspace } from './workspace.ts';

const POLICIES = [
  ...['broker', 'author', 'operator', 'admin', 'viewer', 'workload-15m', 'workload-1h'],
  ...['registrar-acme.shop', 'registrar-acme-2'],
].map((name) => `signet-${name}`);

const IMPORTS: readonly (readonly [to: string, id: string])[] = [
  ...['signet-pki-root', 'signet-pki', 'signet', 'signet-transit'].map(
    (path) => [`vault_mount.engine["engine-${path}"]`, path] as const,
  ),
  ['vault_auth_backend.method["auth-signet-approle"]', 'signet-approle'],
  ...POLICIES.map((name) => [`vault_policy.signet["${name}"]`, name] as const),
  ['vault_generic_endpoint.layout_history', 'signet/metadata/layout'],
];

describe('the module vault on a Vault that `signet vault apply` has set up', function () {
  this.timeout(120_000);
  let lab: Lab;
  let workspace: Workspace;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    lab = await openLab();
    workspace = await openWorkspace(lab.vault);
    await workspace.write(
      { ...DOCUMENT, adopt: true },
      { import: IMPORTS.map(([to, id]) => ({ to: `module.vault.${to}`, id })) },
    );
    await workspace.ok('init', '-input=false', '-no-color');
  });
  after(async () => {
    await workspace?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  const read = async (path: string) => (await lab.vault.request('GET', path)).body.data;
  /** What an adoption must not touch. */
  const kept = async () => [
    await read('signet-pki/issuers?list=true'),
    await read('signet-pki-root/issuers?list=true'),
    await read('signet-pki/config/issuers'),
    await read('signet-transit/keys/policy'),
    await read('signet/data/revision'),
    await read('signet/data/entries/acme.shop/orders'),
  ];

  it('finds no engine and no policy to change, and none to make', async () => {
    await workspace.ok('plan', '-input=false', '-no-color', '-out=planned');
    const { out } = await workspace.ok('show', '-json', 'planned');
    const changes: { mode: string; type: string; change: { actions: string[] } }[] =
      JSON.parse(out).resource_changes;
    const to = (type: string) =>
      new Set(
        changes.filter((c) => c.mode === 'managed' && c.type === type).map((c) => `${c.change.actions}`),
      );
    assert.deepEqual(to('vault_mount'), new Set(['no-op']));
    assert.deepEqual(to('vault_policy'), new Set(['no-op']));
    assert.deepEqual(
      to('vault_auth_backend'),
      new Set(['update']),
      'of nothing: the provider reads no tuning',
    );
    assert.ok(!changes.some(({ type }) => type.startsWith('vault_pki')));
  });

  it('writes what stands there already: CAs, keys, documents and registrations stay, and the plan is empty', async () => {
    await lab.register();
    const before = await kept();
    await workspace.ok('apply', '-auto-approve', '-input=false', '-no-color', 'planned');
    assert.deepEqual(await kept(), before);
    const { findings, warnings, changes } = await examineBy(lab.vault, workspace);
    assert.deepEqual(
      [findings, warnings.map(({ id }) => id), changes],
      [NOTHING.findings, ['vault.audit'], []],
    );
    assert.ok(await workspace.isDone());
  });
});
