import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../../../harness/child.ts';
import { startProcess } from '../../../harness/processes.ts';
import { root } from '../../../setup/paths.mjs';
import { until } from '../../broker/site.ts';
import { RunIssuer } from '../../support/run-issuer.ts';
import { type SshKeygen, sshKeygen } from '../../support/ssh-keygen.ts';
import { openStage, type Stage } from './stage.ts';

const doc = await readFile(join(root, 'docs/ansible.md'), 'utf8');
const blocks = Array.from(doc.matchAll(/^```sh test\n([\s\S]*?)^```$/gm), ([, block]) => block ?? '');

describe('docs/ansible.md', function () {
  this.timeout(120_000);
  let stage: Stage;
  let issuer: RunIssuer;
  let keygen: SshKeygen;
  before(async function () {
    const opened = await openStage();
    if (opened === undefined) this.skip();
    stage = opened;
    [issuer, keygen] = await Promise.all([RunIssuer.start(), sshKeygen()]);
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
    await keygen?.[Symbol.asyncDispose]();
  });

  it('holds no sh block that is not run', () => assert.equal(doc.match(/^```sh/gm)?.length, blocks.length));

  it('works as it is written: a host gets the identity, another key does not', async () => {
    const work = join(stage.ansible.dir, 'work');
    const bin = join(work, 'bin');
    await mkdir(bin, { recursive: true });
    await symlink(join(root, 'ansible'), join(work, 'ansible'));
    const program = join(bin, 'signet');
    await writeFile(
      program,
      `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"\n`,
    );
    await chmod(program, 0o755);
    const [key, stranger] = [await keygen.newKey('host_key'), await keygen.newKey('stranger')];
    await copyFile(`${key.file}.pub`, join(work, 'web1-host-key.pub'));
    await writeFile(join(work, 'root.pem'), stage.site.ca);
    await writeFile(join(work, 'doc.sh'), blocks.join('\n').replaceAll('https://ci.example.org', issuer.url));
    const { vault } = stage.site;
    const claims = { repository_id: '123457', ref: 'refs/heads/main', terraform_run_phase: undefined };
    const shell = await startChild('bash', ['-euo', 'pipefail', 'doc.sh'], {
      cwd: work,
      env: {
        ...stage.ansible.env,
        ...stage.where,
        PATH: `${bin}:${stage.ansible.env['PATH']}`,
        HOME: work,
        ANSIBLE_HOME: join(work, 'home'),
        ANSIBLE_COLLECTIONS_PATH: join(work, 'collections'),
        VAULT_ADDR: vault.address,
        VAULT_TOKEN: vault.rootToken,
        CI_ID_TOKEN: await issuer.token(claims),
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    const out = shell.stdout() + shell.stderr();
    assert.equal(code, 0, out);
    assert.match(out, /signet\.identity:0\.1\.0 was installed successfully/);
    assert.match(out, /web1 +: ok=1 +changed=1 /);
    assert.match(out, /^acme\/shop\/host-web1 active /m);
    assert.match(out, /playbook: site\.yml/);

    const sidecar = (file: string) =>
      startProcess({
        args: ['sidecar'],
        env: {
          ...stage.where,
          VAULT_ADDR: vault.address,
          SIGNET_MODE: 'agent',
          SIGNET_ATTEST: `ssh-host:${file}`,
        },
      });
    const own = await sidecar(key.file);
    const foreign = await sidecar(stranger.file);
    try {
      const status = async ({ addressOf }: typeof own) => {
        const answer = await fetch(`http://${await addressOf('admin')}/status`);
        return JSON.stringify(await answer.json());
      };
      await until(async () => (await status(own)).includes('spiffe://example.org/ns/shop/host/web1'));
      await until(async () => (await status(foreign)).includes('no_entry'));
    } finally {
      await Promise.all([own.stop(), foreign.stop()]);
    }
  });
});
