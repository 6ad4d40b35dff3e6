import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../../../harness/child.ts';
import { root } from '../../../setup/paths.mjs';
import { drivers } from '../provider/workspace.ts';
import { openStage, type Stage } from './stage.ts';

describe('docs/terraform-provider.md', function () {
  this.timeout(180_000);
  const [tofu] = drivers();
  let stage: Stage;
  before(async function () {
    if (tofu?.program === undefined) this.skip();
    stage = await openStage();
  });
  after(() => stage?.[Symbol.asyncDispose]());

  it('does what it says, from top to bottom', async () => {
    const text = await readFile(join(root, 'docs/terraform-provider.md'), 'utf8');
    const blocks = [...text.matchAll(/^```sh test\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
    assert.equal(blocks.length, 3);
    const { dir } = await stage.open(tofu!);
    const bin = join(dir, 'bin');
    await mkdir(bin);
    const commands = {
      npm: `cd ${JSON.stringify(root)} && exec "${process.execPath}" packaging/terraform-provider/main.ts "\${@:4}"`,
      signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
      tofu: `exec "${tofu?.program}" "$@"`,
    };
    for (const [name, line] of Object.entries(commands)) {
      await writeFile(join(bin, name), `#!/bin/bash\n${line}\n`);
      await chmod(join(bin, name), 0o755);
    }
    const ca = join(dir, 'broker-ca.pem');
    await writeFile(ca, stage.site.ca);
    await writeFile(join(dir, 'doc.sh'), blocks.join('\n'));
    const shell = await startChild('bash', ['-euo', 'pipefail', '-x', 'doc.sh'], {
      cwd: dir,
      env: {
        PATH: `${bin}:${process.env['PATH']}`,
        HOME: dir,
        CHECKPOINT_DISABLE: '1',
        SIGNET_BROKER_URL: `https://${stage.broker.address}`,
        SIGNET_BROKER_CA: ca,
        SIGNET_TRUST_DOMAIN: 'example.org',
        VAULT_TOKEN: stage.site.registrar.shop,
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    assert.match(shell.stdout(), /acme\/shop\/vm-1 active spiffe:\/\/example.org\/ns\/shop\/host\/vm-1/);
  });
});
