import assert from 'node:assert/strict';
import { vaultAuthBinary } from '../../setup/kubernetes.mjs';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { startAuthVault } from '../kubernetes/auth-vault.ts';
import { createCa } from '../support/ca.ts';
import type { TestVault } from '../support/vault.ts';
import { applyModule, examineBy, NOTHING, openWorkspace, type Workspace } from './workspace.ts';

const INPUTS = { trust_domain: 'example.org', broker: { dns: ['localhost'] }, audit_file: '/dev/null' };

describe('the module vault with brokers that log in by Kubernetes auth', function () {
  this.timeout(120_000);
  let vault: TestVault;
  let workspace: Workspace;
  beforeEach(async function () {
    if (terraformPrograms() === undefined || vaultAuthBinary() === undefined) return this.skip();
    vault = await startAuthVault();
    workspace = await openWorkspace(vault);
  });
  afterEach(async () => {
    await workspace?.[Symbol.asyncDispose]();
    await vault?.stop();
  });

  it('writes its role in one that is there, and takes away no more than that', async () => {
    await vault.request('POST', 'sys/auth/clusters/main', { type: 'kubernetes' });
    await vault.request('POST', 'auth/clusters/main/config', {
      kubernetes_host: 'https://10.0.0.1:6443',
      kubernetes_ca_cert: (await createCa('kubernetes')).pem,
      disable_local_ca_jwt: true,
    });
    await applyModule(workspace, {
      ...INPUTS,
      kubernetes: { mount: 'clusters/main', namespace: 'identity' },
    });
    assert.deepEqual(await examineBy(vault, workspace), NOTHING);
    assert.ok(await workspace.isDone());
    await workspace.ok('destroy', '-auto-approve', '-input=false', '-no-color');
    assert.equal((await vault.request('GET', 'auth/clusters/main/role/broker')).status, 404);
    assert.equal((await vault.request('GET', 'auth/clusters/main/config')).status, 200);
  });
});
