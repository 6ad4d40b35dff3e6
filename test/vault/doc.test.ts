import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../harness/child.ts';
import { vaultBinary } from '../../setup/vault.mjs';
import { startVault, type TestVault } from '../support/vault.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The blocks of docs/vault.md that are marked to be run: they are one session, from top to bottom. */
async function blocks(): Promise<string[]> {
  const text = await readFile(join(root, 'docs/vault.md'), 'utf8');
  return [...text.matchAll(/^```sh test\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
}

describe('docs/vault.md', () => {
  let vault: TestVault;
  let dir: string;
  before(async () => {
    vault = await startVault();
    dir = await mkdtemp(join(tmpdir(), 'signet-doc-'));
    await mkdir(join(dir, 'bin'));
    const commands = {
      npx: 'exec "$@"',
      signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
      node: `exec "${process.execPath}" "$@"`,
      vault: `exec "${vaultBinary()}" "$@"`,
    };
    for (const [name, line] of Object.entries(commands)) {
      const file = join(dir, 'bin', name);
      await writeFile(file, `#!/bin/sh\n${line}\n`);
      await chmod(file, 0o755);
    }
  });
  after(async () => {
    await vault.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('holds no sh block that is not run', async () => {
    const text = await readFile(join(root, 'docs/vault.md'), 'utf8');
    assert.equal(text.match(/^```sh/gm)?.length, (await blocks()).length);
  });

  it('works as it is written, and leaves a Vault in which doctor finds nothing', async function () {
    this.timeout(120_000);
    const script = [
      ...(await blocks()),
      'VAULT_TOKEN=$ADMIN_TOKEN npx signet vault doctor --json > doctor.json\n',
    ];
    await writeFile(join(dir, 'doc.sh'), script.join('\n'));
    const shell = await startChild('bash', ['-euo', 'pipefail', '-x', 'doc.sh'], {
      cwd: dir,
      env: {
        PATH: `${join(dir, 'bin')}:${process.env['PATH']}`,
        HOME: dir,
        VAULT_ADDR: vault.address,
        VAULT_TOKEN: vault.rootToken,
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    assert.match(shell.stdout(), /^no changes$/m);
    assert.match(shell.stdout(), /^no faults, /m);
    assert.deepEqual(JSON.parse(await readFile(join(dir, 'doctor.json'), 'utf8')).findings, []);
  });
});
