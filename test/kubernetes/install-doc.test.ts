import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../harness/child.ts';
import { startApiServer } from '../../harness/kubernetes/api-server.ts';
import { kubeBinary } from '../../setup/kubernetes.mjs';
import { vaultBinary } from '../../setup/vault.mjs';
import { createCa } from '../support/ca.ts';
import { startVault } from '../support/vault.ts';
import { authPlugin, helm } from './programs.ts';

const PLUGIN = 'vault-plugin-auth-kubernetes';
const root = fileURLToPath(new URL('../..', import.meta.url));

describe('docs/kubernetes-install.md', () => {
  it('works as it is written, and leaves a Vault in which doctor finds nothing', async function () {
    this.timeout(120_000);
    await using stack = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), 'signet-doc-'));
    stack.defer(() => rm(dir, { recursive: true, force: true }));
    const api = stack.use(await startApiServer());
    const plugins = join(dir, 'plugins');
    await mkdir(plugins);
    await copyFile(authPlugin(), join(plugins, PLUGIN));
    const vault = stack.use(await startVault({ pluginFolder: plugins }));
    const { pem } = await createCa('vault.example.org');
    await writeFile(join(dir, 'vault-ca.pem'), pem);
    await symlink(join(root, 'kubernetes'), join(dir, 'kubernetes'));
    await symlink(join(plugins, PLUGIN), join(dir, PLUGIN));
    await mkdir(join(dir, 'bin'));
    const commands = {
      npx: 'exec "$@"',
      signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
      vault: `exec "${vaultBinary()}" "$@"`,
      helm: `exec "${helm()}" "$@"`,
      kubectl: `exec "${kubeBinary()}" kubectl "$@"`,
    };
    for (const [name, line] of Object.entries(commands)) {
      const file = join(dir, 'bin', name);
      await writeFile(file, `#!/bin/sh\n${line}\n`);
      await chmod(file, 0o755);
    }
    const doc = await readFile(join(root, 'docs/kubernetes-install.md'), 'utf8');
    const blocks = [...doc.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
    assert.ok(blocks.length > 2);
    await writeFile(join(dir, 'doc.sh'), blocks.join('\n'));
    const shell = await startChild('bash', ['-euo', 'pipefail', '-x', 'doc.sh'], {
      cwd: dir,
      env: {
        PATH: `${join(dir, 'bin')}:${process.env['PATH']}`,
        HOME: dir,
        KUBECONFIG: api.kubeconfig,
        VAULT_ADDR: vault.address,
        VAULT_TOKEN: vault.rootToken,
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    assert.match(shell.stdout(), /^no faults, /m);
    const deployment = await api.request('GET', '/apis/apps/v1/namespaces/signet/deployments/signet-broker');
    assert.equal(deployment.status, 200);
  });
});
