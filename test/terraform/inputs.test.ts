import assert from 'node:assert/strict';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { openWorkspace, type Workspace } from './workspace.ts';

describe('the tests of the module vault (*.tftest.hcl)', function () {
  this.timeout(120_000);
  let workspace: Workspace;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    // No Vault: the provider is a mock.
    workspace = await openWorkspace({ address: 'http://127.0.0.1:9', rootToken: 'none' });
  });
  after(() => workspace?.[Symbol.asyncDispose]());

  it('pass', async () => {
    await workspace.ok('-chdir=modules/vault', 'init', '-input=false', '-no-color');
    const { out } = await workspace.ok('-chdir=modules/vault', 'test', '-no-color');
    assert.match(out, /^Success! (1[7-9]|[2-9]\d) passed, 0 failed\.$/m);
  });
  it('are formatted, as are modules and examples', async () => {
    const { code, out } = await workspace.run(
      'fmt',
      '-check',
      '-recursive',
      '-no-color',
      'modules',
      'examples',
    );
    assert.deepEqual([code, out], [0, '']);
  });
});
