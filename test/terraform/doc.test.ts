import assert from 'node:assert/strict';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../harness/child.ts';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { RUN, RunIssuer } from '../support/run-issuer.ts';
import { startVault, type TestVault } from '../support/vault.ts';
import { MODULES } from './workspace.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(ROOT, 'docs/terraform.md'), 'utf8');

/** The blocks of one session, from top to bottom. */
const blocks = (session: string) =>
  [...text.matchAll(/^```sh (\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === session)
    .map(([, , block]) => block!);

describe('docs/terraform.md', function () {
  this.timeout(120_000);
  let vault: TestVault;
  let issuer: RunIssuer;
  let dir: string;
  beforeEach(async function () {
    const programs = terraformPrograms();
    if (programs === undefined) return this.skip();
    [vault, issuer] = await Promise.all([startVault(), RunIssuer.start()]);
    dir = await mkdtemp(join(tmpdir(), 'signet-doc-'));
    await cp(MODULES, join(dir, 'terraform/modules'), { recursive: true });
    await mkdir(join(dir, 'bin'));
    const commands = {
      npx: 'exec "$@"',
      signet: `exec "${process.execPath}" "${join(ROOT, 'bin/signet.mjs')}" "$@"`,
      node: `exec "${process.execPath}" "$@"`,
      tofu: `exec "${programs.tofu}" "$@"`,
    };
    for (const [name, line] of Object.entries(commands)) {
      const file = join(dir, 'bin', name);
      await writeFile(file, `#!/bin/sh\n${line}\n`);
      await chmod(file, 0o755);
    }
  });
  afterEach(async () => {
    await vault?.stop();
    await issuer?.[Symbol.asyncDispose]();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  const play = async (session: string) => {
    // Vault looks at an issuer's keys, and this one stands for it
    const script = blocks(session).join('\n').replaceAll('https://app.terraform.io', issuer.url);
    await writeFile(join(dir, 'doc.sh'), script);
    const shell = await startChild('bash', ['-euo', 'pipefail', '-x', 'doc.sh'], {
      cwd: dir,
      env: {
        PATH: `${join(dir, 'bin')}:${process.env['PATH']}`,
        HOME: dir,
        TF_CLI_CONFIG_FILE: terraformPrograms()?.configuration,
        CHECKPOINT_DISABLE: '1',
        VAULT_ADDR: vault.address,
        VAULT_TOKEN: vault.rootToken,
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    return shell.stdout();
  };

  it('holds no sh block that is not run', () => {
    assert.equal(text.match(/^```sh/gm)?.length, blocks('test').length + blocks('adopt').length);
  });
  it('works as it is written', async () => {
    const told = await play('test');
    assert.match(told, /no faults/);
    assert.match(told, /SIGNET_VAULT_ROLE_ID/);
    assert.match(
      told,
      new RegExp(`^shop-prod acme/shop/web-\\* ns/shop/web/ .*=${RUN.terraform_workspace_id}$`, 'm'),
    );
    assert.match(told, /"SIGNET_DELEGATION":"shop-prod"/);
    const pem = await readFile(join(dir, 'trust-domain/root.pem'), 'utf8');
    assert.equal(pem.trim(), String((await vault.request('GET', 'signet-pki-root/ca/pem')).body).trim());
  });
  it('adopts a Vault as it is written', async () => {
    const told = await play('adopt');
    assert.match(told, /^no changes$/m);
    assert.match(told, /no faults/);
  });
});
