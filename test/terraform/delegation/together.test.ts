import assert from 'node:assert/strict';
import { terraformPrograms } from '../../../setup/terraform.mjs';
import { RunIssuer } from '../../support/run-issuer.ts';
import { startVault, type TestVault } from '../../support/vault.ts';
import { examineBy, NOTHING, openWorkspace } from '../workspace.ts';
import { APPLY, DESTROY, PLAIN, SHOP } from './stage.ts';

const INPUTS = {
  trust_domain: 'example.org',
  tenants: [{ name: 'acme/shop', id_prefixes: ['ns/shop/'] }],
  broker: { dns: ['localhost'], networks: ['127.0.0.0/8'] },
  audit_file: '/dev/null',
};

describe('the modules vault and delegation in one configuration', function () {
  this.timeout(120_000);
  let vault: TestVault;
  let issuer: RunIssuer;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    [vault, issuer] = await Promise.all([startVault(), RunIssuer.start()]);
  });
  after(async () => {
    await vault?.stop();
    await issuer?.[Symbol.asyncDispose]();
  });

  it('are made in their order in an empty Vault, follow one another, and are taken away by one destroy', async () => {
    await using workspace = await openWorkspace(vault);
    const write = (inputs: object) =>
      workspace.write(inputs, {
        module: {
          vault: { source: './modules/vault', ...inputs },
          runs: {
            source: './modules/delegation',
            layout: `\${module.vault.layout}`,
            issuer: { url: issuer.url },
            delegations: { 'shop-prod': { ...SHOP, networks: undefined } },
          },
        },
      });
    await write(INPUTS);
    await workspace.ok('init', ...PLAIN);
    // alone it brings with it what it stands on, in that order
    await workspace.ok(...APPLY, '-target=module.runs');
    await workspace.ok(...APPLY);
    assert.ok(await workspace.isDone());
    assert.deepEqual(await examineBy(vault, workspace), NOTHING);
    await write({ ...INPUTS, svid_ttls: ['5m'], broker: { dns: ['localhost'], networks: ['127.0.0.0/16'] } });
    await workspace.ok(...APPLY);
    assert.ok(await workspace.isDone());
    assert.deepEqual(await examineBy(vault, workspace), NOTHING);
    await workspace.ok(...DESTROY);
    const auths = Object.keys((await vault.request('GET', 'sys/auth')).body.data);
    assert.deepEqual(auths, ['token/']);
  });
});
