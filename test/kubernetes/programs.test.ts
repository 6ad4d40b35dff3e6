import assert from 'node:assert/strict';
import { startChild } from '../../harness/child.ts';
import { helmBinary, vaultAuthBinary } from '../../setup/kubernetes.mjs';

describe('what set-up builds to go with Kubernetes', () => {
  const said = async (file: string | undefined, ...args: string[]) => {
    assert.ok(file, 'set-up has built none');
    const child = await startChild(file, args);
    await child.ended;
    return child.stdout() + child.stderr();
  };

  it('Helm 3', async () => {
    assert.match(await said(helmBinary(), 'version', '--template', '{{.Version}}'), /^v3\./);
  });

  it("Vault's Kubernetes auth, which Vault alone starts", async () => {
    assert.match(await said(vaultAuthBinary()), /This binary is a plugin/);
  });
});
